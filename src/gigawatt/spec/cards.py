"""Model cards: Markdown, led by metadata in YAML between two lines of `---`, as model hubs write them."""

import json
from typing import Any, cast

import yaml

from gigawatt.spec.limits import CARD_METADATA_CHARS_MAX
from gigawatt.spec.yaml_core import CoreLoader

FENCE = "---"


class CardError(ValueError):
    """`detail` follows the field's name."""

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint


def card_metadata(text: str) -> dict[str, Any]:
    """A card's metadata as plain JSON values, empty where it has none. Raises CardError."""
    metadata, _ = _parted(text)
    if not metadata.strip():
        return {}
    if len(metadata) > CARD_METADATA_CHARS_MAX:
        raise CardError(
            f"begins with {len(metadata)} characters of metadata",
            f"at most {CARD_METADATA_CHARS_MAX} are allowed; say the rest below them",
        )
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(metadata, CoreLoader)):
            raise CardError("uses YAML aliases in its metadata", "write what they mean")
        found: Any = yaml.load(metadata, CoreLoader)  # noqa: S506 - a safe loader
        plain = json.loads(json.dumps(found, allow_nan=False))
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        if isinstance(error, CardError):
            raise
        said = " ".join(str(error).split())[:200]
        raise CardError(f"begins with metadata that cannot be read: {said}") from error
    if not isinstance(plain, dict):
        raise CardError("begins with metadata that are no fields", "write them as `name: value`")
    return cast("dict[str, Any]", plain)


def card_body(text: str) -> str:
    """A card without its metadata."""
    return _parted(text)[1]


def _parted(text: str) -> tuple[str, str]:
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].strip() != FENCE:
        return "", text
    for index, line in enumerate(lines[1:], start=1):
        if line.strip() == FENCE:
            return "".join(lines[1:index]), "".join(lines[index + 1 :]).lstrip("\n")
    return "", text
