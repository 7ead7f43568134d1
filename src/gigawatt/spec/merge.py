"""What was written, with changes over it."""

from collections.abc import Mapping
from typing import Any, cast

WHOLE = {"environment"}  # fields whose parts do not go with those of another


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a job with `above` merged into them, mapping by mapping; an environment is replaced as a whole."""
    kept = {name: each for name, each in below.items() if name not in WHOLE & set(above)}
    return _merged(kept, above)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(below)
    for name, value in above.items():
        under = found.get(name)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            found[name] = _merged(
                cast("Mapping[str, Any]", under), cast("Mapping[str, Any]", value)
            )
        else:
            found[name] = value
    return found
