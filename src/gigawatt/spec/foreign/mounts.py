"""Mounts of other systems as volumes: disks by name become volumes of the same name, at a path below the job's directory."""

from collections.abc import Iterable
from typing import Any

from gigawatt.spec.foreign.findings import Findings
from gigawatt.spec.foreign.names import name_of
from gigawatt.spec.limits import PATH_CHARS_MAX, VOLUMES_MAX

ADVICE = (
    "push it once, `gw data push NAME DIR`, and write `volumes: [NAME]`; "
    "a directory that nodes have can be a volume too, `gw data create NAME --path DIR`, and so can a bucket that is "
    "only read, `gw data create NAME --s3 URL --secret SECRET`"
)


def volumes_of(
    disks: Iterable[tuple[str, str]], *, key: str, line: int, findings: Findings
) -> list[dict[str, Any]]:
    """The volumes for disks as (name, path where it is mounted), each told: who makes it, and where it is here.

    A disk elsewhere is written to, so it is a directory here; data that is only read is better pushed, with versions.
    """
    found: list[dict[str, Any]] = []
    taken: dict[str, str] = {}
    for written, path in disks:
        name = name_of(written)
        inside = "/".join(part for part in path.split("/") if part not in {"", ".", "..", "~"})
        free = name not in taken and not any(_overlap(inside, each) for each in taken.values())
        if not name or not free or not _can_be(inside) or len(found) == VOLUMES_MAX:
            findings.note(key, line, f"{written!r} at {path!r} has no counterpart", ADVICE)
            continue
        taken[name] = inside
        variable = f"$GIGAWATT_DATA_{name.upper().replace('-', '_')}"
        findings.note(
            key,
            line,
            f"{path} is {inside} below the job's directory, and {variable}",
            f"an administrator makes it: `gw data create {name} --path DIR`; or push data that is only read: "
            f"`gw data push {name} DIR`, and write `mode: ro`",
        )
        found.append({"volume": name, "path": inside, "mode": "rw"})
    return found


def _overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _can_be(path: str) -> bool:
    return 0 < len(path) <= PATH_CHARS_MAX and path.isprintable()
