"""Filters of `gw jobs` that a person has saved under a name, in their configuration directory."""

import json
import os
import shlex
from pathlib import Path
from typing import Any, cast

from gigawatt.model.refusal import RefusalCode, RefusalError

FILE = "filters.json"
FILTERS_MAX = 200
NAME_CHARS_MAX = 63


def save(name: str, filters: dict[str, Any]) -> None:
    """Keep them under this name, in the place of those before. Raises RefusalError, OSError."""
    if not 0 < len(name) <= NAME_CHARS_MAX or not name.isprintable():
        detail = f"a name has 1 to {NAME_CHARS_MAX} characters that can be printed"
        raise RefusalError(RefusalCode.INVALID, detail, field="save")
    kept = _read() | {name: filters}
    if len(kept) > FILTERS_MAX:
        detail = f"there are {FILTERS_MAX} saved filters, which is the limit"
        raise RefusalError(RefusalCode.LIMIT, detail, hint="gw jobs filters --remove NAME")
    _write(kept)


def remove(name: str) -> None:
    """Forget those of this name. Raises RefusalError, with the nearest name there is."""
    load(name)
    _write({key: each for key, each in _read().items() if key != name})


def every() -> dict[str, dict[str, Any]]:
    """All of them, by name. Raises RefusalError."""
    return _read()


def options(filters: dict[str, Any]) -> str:
    """The same as options of `gw jobs`."""
    words = [f"--phase {each}" for each in filters.get("phases", ())]
    words += [f"--name {shlex.quote(filters['name'])}"] if filters.get("name") else []
    return " ".join(
        [*words, *(f"--label {shlex.quote(each)}" for each in filters.get("labels", ()))]
    )


def load(name: str) -> dict[str, Any]:
    """Those of this name. Raises RefusalError, with the nearest name there is."""
    kept = _read()
    if name in kept:
        return kept[name]
    from gigawatt.spec.faults import nearest

    hint = nearest(name, tuple(sorted(kept))) or "gw jobs … --save NAME keeps one"
    raise RefusalError(
        RefusalCode.INVALID, f"there is no saved filter {name}", field="filter", hint=hint
    )


def _write(kept: dict[str, dict[str, Any]]) -> None:
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{FILE}.{os.getpid()}.new")
    fresh.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
    fresh.replace(path)


def _read() -> dict[str, dict[str, Any]]:
    path = _path()
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        detail = f"{path} cannot be read: {error}"
        raise RefusalError(RefusalCode.INVALID, detail, hint="mend it, or remove it") from error
    if not isinstance(found, dict):
        detail = f"{path} does not hold filters by name"
        raise RefusalError(RefusalCode.INVALID, detail, hint="mend it, or remove it")
    return cast("dict[str, dict[str, Any]]", found)


def _path() -> Path:
    import platformdirs

    return Path(platformdirs.user_config_path("gigawatt")) / FILE
