"""Volumes where a person works: links from the code in the home to where this node has them, made anew at every start.

The home is written by nobody but its person and these links: what is there already, and no link of ours, stays.
"""

from __future__ import annotations

import json
from pathlib import Path

from gigawatt.rank.desk.facts import Facts

NOTED = "volumes.json"  # which links are ours


def link_volumes(facts: Facts, work: Path, code: Path) -> list[str]:
    """Link each volume below `code` at the path that it has below `work`; what was in the way of some, in words."""
    noted = facts.home / ".gigawatt" / NOTED
    ours = set(_read(noted))
    for link in sorted(ours):
        if Path(link).is_symlink():
            Path(link).unlink()
    blocked = {path: _blocked(code, code / path) for path in facts.volumes}
    free = [path for path, thing in blocked.items() if thing is None]
    if free or ours:
        _note(noted, [str(code / path) for path in free])
    for path in free:
        (code / path).parent.mkdir(parents=True, exist_ok=True)
        (code / path).symlink_to((work / path).resolve(), target_is_directory=True)
    return [
        f"the volume at {work / path} is not linked into {code}: {thing} is in the way"
        for path, thing in blocked.items()
        if thing is not None
    ]


def _blocked(code: Path, place: Path) -> Path | None:
    """What of the person's is in the way: something at the place itself, or a file or a link above it."""
    here = code
    for part in place.relative_to(code).parts[:-1]:
        here /= part
        if here.is_symlink() or (here.exists() and not here.is_dir()):
            return here
    return place if place.is_symlink() or place.exists() else None


def _read(noted: Path) -> list[str]:
    try:
        return [str(each) for each in json.loads(noted.read_text())]
    except (OSError, ValueError):
        return []


def _note(noted: Path, links: list[str]) -> None:
    """Before they are made, and whole: a link that is not noted would be in its own way next time."""
    noted.parent.mkdir(mode=0o700, exist_ok=True)
    part = noted.with_suffix(".part")
    part.write_text(json.dumps(links))
    part.replace(noted)
