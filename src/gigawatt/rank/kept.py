"""What is kept of a copy that was broken off, so that the next one to the same place goes on from there.

Beside its place a copy has a directory of its own: what has arrived, and a journal with a line for each entry that was
begun. All but the last of them are whole. Standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from gigawatt.rank.entries import MARK

KEPT_BYTES_MIN = 16 << 20  # less is copied anew sooner than it is looked at
KEPT = "kept"  # in place of a process, for what is left by one that still runs
JOURNAL = f"{MARK}journal"


class Kept(NamedTuple):
    """The first so many entries of what has this fingerprint, and so many bytes of the last one."""

    fingerprint: str
    entries: int
    part_bytes: int


class Begun(NamedTuple):
    """An entry that was begun, as its line in the journal has it."""

    kind: str  # d, f or l
    name: str
    mode: int
    mtime: int
    size: int
    points_to: str


class Journal:
    """Opened for more; `lines` are those of before."""

    def __init__(self, beside: Path, fingerprint: str) -> None:
        self.lines = _lines(beside, fingerprint)
        self._file = (beside / JOURNAL).open("w", encoding="utf-8", errors="surrogateescape")
        self._file.write(json.dumps({"fingerprint": fingerprint}) + "\n")
        for each in self.lines:
            self.begin(each)

    def begin(self, entry: Begun) -> None:
        """Before anything is made of it."""
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def beside_of(place: Path) -> Path:
    """Where this process unpacks what is to be at `place`."""
    return place.parent / f".{place.name}{MARK}{os.getpid()}"


def left_at(place: Path) -> list[Path]:
    """What copies to this place have left that go on no more, the newest first."""
    prefix = f".{place.name}{MARK}"
    found: list[Path] = []
    for each in place.parent.iterdir():
        by = each.name[len(prefix) :] if each.name.startswith(prefix) else ""
        if by == KEPT or (by.isdecimal() and not Path("/proc", by).exists()):
            found.append(each)
    return sorted(found, key=lambda each: each.stat().st_mtime, reverse=True)


def kept_at(place: Path) -> Kept | None:
    """What is there of an earlier copy to this place, if it is worth going on with."""
    if not place.parent.is_dir():
        return None
    for left in left_at(place):
        fingerprint = fingerprint_of(left)
        lines = _lines(left, fingerprint)
        if fingerprint and lines:
            part_bytes = part_of(left, lines[-1])
            whole = sum(each.size for each in lines[:-1])
            if whole + part_bytes >= KEPT_BYTES_MIN:
                return Kept(fingerprint, len(lines), part_bytes)
    return None


def part_of(beside: Path, last: Begun) -> int:
    """How much of the entry that was begun last is there."""
    try:
        return min((beside / last.name).lstat().st_size, last.size) if last.kind == "f" else 0
    except OSError:
        return 0


def keep(beside: Path, place: Path) -> None:
    """Leave what has arrived for the next copy to this place."""
    kept = place.parent / f".{place.name}{MARK}{KEPT}"
    remove(kept)
    beside.replace(kept)


def remove(directory: Path) -> None:
    """With all below it, also where it may not be written to."""
    for path, names, _ in os.walk(directory):
        Path(path).chmod(0o700)
        for name in names:
            below = Path(path, name)
            if not below.is_symlink():
                below.chmod(0o700)
    shutil.rmtree(directory, ignore_errors=True)


def fingerprint_of(beside: Path) -> str:
    """Of what it is a part; empty where it does not say."""
    try:
        with (beside / JOURNAL).open(encoding="utf-8", errors="surrogateescape") as file:
            return str(json.loads(file.readline())["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _lines(beside: Path, fingerprint: str) -> list[Begun]:
    """None for a journal of something else. A line that was not written whole is not there."""
    if not fingerprint or fingerprint_of(beside) != fingerprint:
        return []
    found: list[Begun] = []
    with (beside / JOURNAL).open(encoding="utf-8", errors="surrogateescape") as file:
        file.readline()
        for line in file:
            try:
                found.append(Begun(*json.loads(line)))
            except (ValueError, TypeError):
                break
    return found
