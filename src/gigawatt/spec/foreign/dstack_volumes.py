"""What dstack mounts, as volumes."""

from collections.abc import Mapping
from typing import Any, cast

from gigawatt.spec.foreign.mounts import ADVICE, volumes_of
from gigawatt.spec.foreign.section import Section


def dstack_volumes(section: Section) -> list[dict[str, Any]]:
    """Disks by name, as `name:/path` or as a mapping; directories of an instance are told."""
    value: object = section.data.get("volumes") or []
    listed = cast("list[object]", value) if isinstance(value, list) else [value]
    disks: list[tuple[str, str]] = []
    for each in listed:
        fields: dict[str, Any] = {}
        if isinstance(each, str):
            name, _, path = each.partition(":")
            fields = {"name": name, "path": path}
        elif isinstance(each, Mapping):
            fields = dict(cast("Mapping[str, Any]", each))
        name, path = fields.get("name"), fields.get("path")
        if isinstance(name, str) and isinstance(path, str) and not name.startswith(("/", "~")):
            disks.append((name, path))
        else:
            section.note("volumes", f"{each!r} has no counterpart", ADVICE)
    return volumes_of(disks, key="volumes", line=section.line("volumes"), findings=section.findings)
