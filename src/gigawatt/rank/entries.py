"""What is copied: a file, or a directory with all below it, in one order, and by what it is known again.

Standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

DEPTH_MAX = 100
READ_BYTES = 1 << 20
MARK = ".gw-copy-"  # in the names of copies that are not whole yet


class CopyError(Exception):
    """`hint` says what to do."""

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.hint = hint


class Entry(NamedTuple):
    """One file, directory or link of what is copied."""

    name: str  # its path in the archive, whose first part is the name of the whole
    path: Path
    status: os.stat_result

    @property
    def file_bytes(self) -> int:
        """What it holds; 0 for what is no file."""
        return self.status.st_size if stat.S_ISREG(self.status.st_mode) else 0


def existing(source: Path) -> Path:
    """Its own name is that of the directory it is in where it is called `.` or `..`. Raises CopyError."""
    path = Path(os.path.abspath(source))  # noqa: PTH100 - a link at its end stays one
    if not path.exists():
        near = (
            sorted(each.name for each in path.parent.iterdir())[:8] if path.parent.is_dir() else []
        )
        hint = f"in {path.parent} there are: {', '.join(near)}" if near else ""
        raise CopyError(f"there is no {source}", hint)
    if not path.name:
        raise CopyError("the root of the file system is not copied", "name a directory")
    return path.parent.resolve() / path.name


def walk(path: Path, name: str, *, follow: bool, above: tuple[int, ...] = ()) -> Iterator[Entry]:
    """Itself, then what is below it by name. The whole may be named by a link; links in it are copied as they are."""
    status = path.stat() if follow or not above else path.lstat()
    kind = stat.S_IFMT(status.st_mode)
    if kind not in {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}:
        return  # a socket, a pipe or a device is nothing that could be copied
    yield Entry(name, path, status)
    if kind != stat.S_IFDIR:
        return
    if status.st_ino in above or len(above) >= DEPTH_MAX:
        raise CopyError(f"{path} is too deep, or links lead in a circle")
    with os.scandir(path) as found:
        names = sorted(each.name for each in found)
    for each in names:
        if MARK not in each:
            below = (*above, status.st_ino)
            yield from walk(path / each, f"{name}/{each}", follow=follow, above=below)


def fingerprint(entries: Iterable[Entry]) -> str:
    """The same for the same names, kinds, modes, sizes, times and links; what files hold is told apart by their times."""
    sha256 = hashlib.sha256()
    for each in entries:
        status = each.status
        link = str(each.path.readlink()) if stat.S_ISLNK(status.st_mode) else ""
        facts = (each.name, status.st_mode, each.file_bytes, status.st_mtime_ns, link)
        sha256.update(json.dumps(facts).encode() + b"\n")
    return sha256.hexdigest()


def digest_of(parts: Iterable[tuple[Path, int]]) -> str:
    """The SHA-256 of the first so many bytes of each file, one after another. Raises CopyError for one that is shorter."""
    sha256 = hashlib.sha256()
    for path, count in parts:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            left = count
            while left:
                data = os.read(fd, min(READ_BYTES, left))
                if not data:
                    raise CopyError(f"{path} became shorter while it was read", "try again")
                sha256.update(data)
                left -= len(data)
        finally:
            os.close(fd)
    return sha256.hexdigest()
