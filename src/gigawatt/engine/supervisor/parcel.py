"""A file or a directory as one run of bytes, equal whenever it is written: an archive, and behind it its SHA-256.

Links are taken as they are and never followed. Of times the last change is kept, to the nanosecond, for manifests go by it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

from gigawatt.engine.supervisor.workdir import remove_tree

DIGEST_BYTES = 32
READ_BYTES = 1 << 20
MTIME = "GIGAWATT.mtime_ns"
ITSELF = "."


class _Sink:
    """What tarfile writes to."""

    def __init__(self, out: Callable[[bytes], object], skip: int) -> None:
        self._out = out
        self._skip = skip
        self.total = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.total.update(data)
        self.hand_on(data)
        return len(data)

    def hand_on(self, data: bytes) -> None:
        rest = data[self._skip :]
        self._skip -= len(data) - len(rest)
        if rest:
            self._out(rest)


class _Late(NamedTuple):
    """What a directory is given once all that is in it is there."""

    place: Path
    mode: int
    mtime_ns: int


def state_of(path: Path) -> tuple[str, int]:
    """A digest, in hex, of where it is and of its files' names, sizes, modes and times; and its bytes. Reads no content.

    Raises OSError.
    """
    total, size = hashlib.sha256(os.fsencode(path)), 0
    for name, place in _entries(path):
        found = place.lstat()
        if stat.S_ISLNK(found.st_mode):
            said = f"{name} -> {place.readlink()}"
        elif stat.S_ISREG(found.st_mode):
            said = f"{name} {found.st_size} {found.st_mode & 0o777:o} {found.st_mtime_ns}"
            size += found.st_size
        else:
            said = name
        total.update(os.fsencode(said) + b"\0")
    return total.hexdigest(), size


def write_parcel(path: Path, out: Callable[[bytes], object], *, skip: int = 0) -> None:
    """Hand all of it from byte `skip` on to `out`, piece by piece. Raises OSError, also for what changes meanwhile."""
    sink = _Sink(out, skip)
    stream = cast("IO[bytes]", sink)  # of which tarfile uses no more
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name, place in _entries(path):
            found = place.lstat()
            info = archive.gettarinfo(place, arcname=name)
            if info.islnk():  # files that share their content are files of their own
                info.type, info.linkname, info.size = tarfile.REGTYPE, "", found.st_size
            if not (info.isreg() or info.isdir() or info.issym()):
                continue
            info.uid = info.gid = info.mtime = 0
            info.uname = info.gname = ""
            info.pax_headers = {} if info.issym() else {MTIME: str(found.st_mtime_ns)}
            if not info.isreg():
                archive.addfile(info)
                continue
            with place.open("rb") as file:
                archive.addfile(info, file)
    sink.hand_on(sink.total.digest())


def unpack_parcel(part: Path, target: Path) -> None:
    """Check it and put it at `target`, in the place of what is there. Raises OSError."""
    body_bytes = _checked(part)
    fresh, gone = (target.with_name(f".{target.name}.{end}") for end in ("new", "gone"))
    for left in (fresh, gone):
        _remove(left)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("rb") as file:
            _lay_out(file, fresh)
            assert file.tell() <= body_bytes
    except tarfile.TarError as error:
        _remove(fresh)
        raise OSError(f"it cannot be unpacked: {error}") from error
    except OSError:
        _remove(fresh)
        raise
    if os.path.lexists(target):
        target.rename(gone)
    fresh.rename(target)
    _remove(gone)


def _entries(path: Path) -> Iterator[tuple[str, Path]]:
    """Names and places, what is above before what is below."""
    yield ITSELF, path
    if path.is_symlink() or not path.is_dir():
        return
    open_ends = [""]
    while open_ends:
        below = open_ends.pop()
        with os.scandir(path / below) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            name = f"{below}/{entry.name}" if below else entry.name
            yield f"./{name}", path / name
            if entry.is_dir(follow_symlinks=False):
                open_ends.append(name)


def _checked(part: Path) -> int:
    """The bytes before the digest, which is theirs. Raises OSError."""
    left = part.stat().st_size - DIGEST_BYTES
    total = hashlib.sha256()
    with part.open("rb") as file:
        while left > 0 and (data := file.read(min(READ_BYTES, left))):
            total.update(data)
            left -= len(data)
        if left or file.read() != total.digest():
            raise OSError("what came is cut short or has another digest")
        return file.tell() - DIGEST_BYTES


def _lay_out(file: IO[bytes], root: Path) -> None:
    late: list[_Late] = []
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            parts = [part for part in member.name.split("/") if part != ITSELF]
            if ".." in parts or member.name.startswith("/"):
                raise OSError(f"it has a file outside of itself, {member.name}")
            place = root.joinpath(*parts)
            mtime_ns = int(member.pax_headers.get(MTIME, "0"))
            if member.isdir():
                place.mkdir(mode=0o700)
                late.append(_Late(place, member.mode, mtime_ns))
            elif member.issym():
                place.symlink_to(member.linkname)
            else:
                source = archive.extractfile(member)
                if source is None:
                    raise OSError(f"it has something that is no file, {member.name}")
                with source, place.open("xb") as copy:
                    shutil.copyfileobj(source, copy, READ_BYTES)
                place.chmod(member.mode & 0o777)
                os.utime(place, ns=(mtime_ns, mtime_ns))
    for each in reversed(late):
        os.utime(each.place, ns=(each.mtime_ns, each.mtime_ns))
        each.place.chmod(each.mode & 0o777)


def _remove(place: Path) -> None:
    if place.is_symlink() or place.is_file():
        place.unlink()
    else:
        remove_tree(place)
