"""Unpacking what was copied: an archive that is trusted in nothing, beside the place where it is to be.

Standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gigawatt.rank.entries import DEPTH_MAX, CopyError, digest_of
from gigawatt.rank.kept import Begun, Journal, part_of

PATH_BYTES_MAX = 4_000
CHUNK_BYTES = 1 << 20
EARLY = "the stream ended before it was whole"
ON = "the same command goes on from there"

Told = Callable[[int, int], object]  # bytes through, of how many


class Contents(NamedTuple):
    """What a stream says of itself, and of what it leaves out: the first entries, and a part of the last of those."""

    name: str
    directory: bool
    entries: int
    size_bytes: int
    fingerprint: str = ""
    kept_entries: int = 0
    kept_part_bytes: int = 0
    kept_sha256: str = ""


class BrokenOffError(CopyError):
    """The stream ended too early: what has arrived of it is good."""


class Unpacking:
    """An archive that is trusted in nothing: every entry is checked before it is made. `close` it at the end."""

    def __init__(self, beside: Path, contents: Contents, told: Told | None) -> None:
        self._beside = beside
        self._contents = contents
        self._told = told
        self._directories: dict[str, int] = {"": 0o700}  # with their modes
        self._links: list[tuple[str, str]] = []
        self._count = 0
        self._part: tuple[str, int] = ("", 0)  # the file of which the rest comes first
        self._journal: Journal | None = None
        self.through = 0
        self.kept_bytes = 0

    def go_on(self) -> None:
        """From what was kept, if the stream leaves that out. Raises CopyError where it is not the same as there."""
        self._journal = Journal(self._beside, self._contents.fingerprint)
        lines = self._journal.lines
        if len(lines) != self._contents.kept_entries:
            raise CopyError("what was kept of it is not there any more", "try again")
        parts: list[tuple[Path, int]] = []
        for each in lines:
            self._check_name(each.name)
            self._check_plain(each)
            self._take_up(each, parts)
        if not lines:
            return
        if lines[-1].kind == "f":
            part_bytes = part_of(self._beside, lines[-1])
            self._part = (lines[-1].name, part_bytes)
            self._count -= 1
            self.through += part_bytes - lines[-1].size
            parts[-1] = (parts[-1][0], part_bytes)
        self.kept_bytes = self.through
        same = self._part[1] == self._contents.kept_part_bytes
        if not same or digest_of(each for each in parts if each[1]) != self._contents.kept_sha256:
            raise CopyError("what was kept of it is not what is there", "try again")

    def run(self, archive: tarfile.TarFile) -> None:
        for info in archive:
            self._count += 1
            if self._count > self._contents.entries:
                raise CopyError("there are more entries than the stream has said")
            self._check_name(info.name)
            self._make(archive, info)
        if self._count != self._contents.entries or self.through != self._contents.size_bytes:
            raise BrokenOffError(EARLY, ON)
        # Links come last, so that nothing is ever written through one; modes when nothing more is made in them.
        for name, points_to in self._links:
            (self._beside / name).symlink_to(points_to)
        for name, mode in sorted(self._directories.items(), reverse=True):
            (self._beside / name).chmod(mode)

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()

    def _check_plain(self, entry: Begun) -> None:
        """What was kept is trusted as little as a stream: no link may have come in its place."""
        path = self._beside / entry.name
        if entry.kind == "l":
            path.unlink(missing_ok=True)  # made at the end, when all else is there
        elif path.is_symlink():
            raise CopyError("what was kept of it is not what is there", "try again")

    def _take_up(self, entry: Begun, parts: list[tuple[Path, int]]) -> None:
        path = self._beside / entry.name
        self._count += 1
        if entry.kind == "d":
            path.mkdir(mode=0o700, exist_ok=True)
            path.chmod(0o700)
            self._directories[entry.name] = entry.mode
        elif entry.kind == "l":
            check_link(entry.name, entry.points_to)
            self._links.append((entry.name, entry.points_to))
        else:
            self.through += entry.size
            parts.append((path, entry.size))

    def _check_name(self, name: str) -> None:
        parts = name.split("/")
        wrong = {"", ".", ".."} & set(parts) or parts[0] != self._contents.name or "\0" in name
        if wrong or len(parts) > DEPTH_MAX + 1 or len(os.fsencode(name)) > PATH_BYTES_MAX:
            raise CopyError(f"the stream has an entry that is not allowed: {name[:200]!r}")
        if "/".join(parts[:-1]) not in self._directories:
            raise CopyError(f"the stream has an entry out of its place: {name[:200]!r}")

    def _make(self, archive: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        path = self._beside / info.name
        self._begin(info)
        if info.isdir():
            path.mkdir(mode=0o700)
            self._directories[info.name] = info.mode & 0o777
        elif info.issym():
            check_link(info.name, info.linkname)
            self._links.append((info.name, info.linkname))
        elif info.isreg() and not info.issparse():
            self._write(archive, info, path)
        else:
            raise CopyError(f"the stream has an entry that is neither file nor directory: {path}")

    def _begin(self, info: tarfile.TarInfo) -> None:
        kind = "d" if info.isdir() else "l" if info.issym() else "f"
        mode, mtime = info.mode & 0o777, int(info.mtime)
        if self._journal is not None and info.name != self._part[0]:
            entry = Begun(kind, info.name, mode, mtime, info.size, info.linkname)
            self._journal.begin(entry)

    def _write(self, archive: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
        self.through += info.size
        if self.through > self._contents.size_bytes:
            raise CopyError("there are more bytes than the stream has said")
        begun = self.through - info.size  # before this file
        source = archive.extractfile(info)
        assert source is not None
        goes_on = info.name == self._part[0]
        new = os.O_NOFOLLOW if goes_on else os.O_EXCL
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | new, 0o600)
        try:
            if goes_on:
                os.ftruncate(fd, self._part[1])
                os.lseek(fd, 0, os.SEEK_END)
                self._part = ("", 0)
            left = info.size
            while left:
                data = source.read(min(CHUNK_BYTES, left))
                if not data:
                    raise BrokenOffError(EARLY, ON)
                left -= len(data)
                write_all(data, fd)
                if self._told:
                    self._told(begun + info.size - left, self._contents.size_bytes)
            os.fchmod(fd, info.mode & 0o777)
            os.utime(fd, (info.mtime, info.mtime))
        finally:
            os.close(fd)


def check_link(name: str, points_to: str) -> None:
    """Raises CopyError for a link that leads out of what is copied.

    After a name, `..` is not allowed at all: where that name is a link itself, nobody knows where it leads.
    """
    parts = points_to.split("/")
    ups = 0
    while ups < len(parts) and parts[ups] in {"..", "."}:
        ups += 1
    depth = name.count("/") - 1  # below the whole
    out = points_to.startswith("/") or parts[:ups].count("..") > depth or ".." in parts[ups:]
    if out or not points_to or "\0" in points_to or len(points_to) > PATH_BYTES_MAX:
        detail = f"the link {name} leads out of what is copied: {points_to[:200]!r}"
        raise CopyError(detail, "--follow copies what links point to")


def write_all(data: bytes, fd: int = 1) -> None:
    """However often it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
