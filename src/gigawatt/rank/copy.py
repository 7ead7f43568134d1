"""Copying files and directories from and to a rank, as one stream that cannot do harm where it arrives.

A stream is a line of JSON about what is in it, an archive (tar), and the SHA-256 of both in hexadecimal. Whoever reads
one unpacks it beside its place, and moves it there once the digest has been found right: half a copy is never seen.

Run as a program beside a rank: `copy.py send PATH`, `copy.py receive PATH`. Standard library only, Python 3.9 or later.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import stat
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

FORMAT = 1
DIGEST_BYTES = 64
CHUNK_BYTES = 1 << 20
HEADER_BYTES_MAX = 16 << 10
ENTRIES_MAX = 1_000_000
PATH_BYTES_MAX = 4_000
DEPTH_MAX = 100
BYTES_MAX = 16 << 40  # what a stream may say of itself; the room on the disk is a limit of its own
SPARE_BYTES = 64 << 20  # left free on the disk
MARK = ".gw-copy-"  # in the names of copies that are not whole yet

Write = Callable[[bytes], object]
Read = Callable[[int], bytes]
Told = Callable[[int, int], object]  # bytes through, of how many


class CopyError(Exception):
    """`hint` says what to do."""

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.hint = hint


class Contents(NamedTuple):
    """What a stream says of itself."""

    name: str
    directory: bool
    entries: int
    size_bytes: int


class Copied(NamedTuple):
    path: str
    entries: int
    size_bytes: int


class _Entry(NamedTuple):
    name: str  # its path in the archive, whose first part is the name of the whole
    path: Path
    status: os.stat_result


def send(source: Path, write: Write, *, follow: bool = False, told: Told | None = None) -> Contents:
    """Write a stream of a file, or of a directory with all below it. With `follow`, what links point to is copied.

    Raises CopyError, OSError.
    """
    root = _existing(source)
    entries = list(_walk(root, root.name, follow=follow))
    size_bytes = sum(each.status.st_size for each in entries if stat.S_ISREG(each.status.st_mode))
    contents = Contents(root.name, root.is_dir(), len(entries), size_bytes)
    outgoing: Any = _Outgoing(write, told, size_bytes)  # as much of a file as an archive needs
    outgoing.write(json.dumps({"format": FORMAT, **contents._asdict()}).encode() + b"\n")
    with tarfile.open(
        fileobj=outgoing, mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK_BYTES
    ) as archive:
        wide: Any = archive
        wide.copybufsize = CHUNK_BYTES
        for entry in entries:
            _add(archive, entry)
    write(outgoing.digest())
    return contents


def receive(read: Read, target: Path, *, told: Told | None = None) -> Copied:
    """Unpack a stream at `target`, or in it if that is a directory. Raises CopyError, OSError; then nothing is there."""
    incoming: Any = _Incoming(read)
    contents = _contents(incoming.line())
    place = _place(target, contents)
    _sweep(place)
    _check_room(place.parent, contents)
    beside = place.parent / f".{place.name}{MARK}{os.getpid()}"
    beside.mkdir(mode=0o700)
    try:
        with tarfile.open(fileobj=incoming, mode="r|", bufsize=CHUNK_BYTES) as archive:
            _Unpacking(beside, contents, told).run(archive)
        incoming.check_digest()
        (beside / contents.name).replace(place)
    except tarfile.TarError as error:
        raise CopyError(f"the stream is damaged: {error}", "try again") from None
    finally:
        _remove(beside)
    return Copied(str(place), contents.entries, contents.size_bytes)


def _existing(source: Path) -> Path:
    """Its own name is that of the directory it is in where it is called `.` or `..`."""
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


def _walk(path: Path, name: str, *, follow: bool, above: tuple[int, ...] = ()) -> Iterator[_Entry]:
    """Itself, then what is below it by name. The whole may be named by a link; links in it are copied as they are."""
    status = path.stat() if follow or not above else path.lstat()
    kind = stat.S_IFMT(status.st_mode)
    if kind not in {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}:
        return  # a socket, a pipe or a device is nothing that could be copied
    yield _Entry(name, path, status)
    if kind != stat.S_IFDIR:
        return
    if status.st_ino in above or len(above) >= DEPTH_MAX:
        raise CopyError(f"{path} is too deep, or links lead in a circle")
    with os.scandir(path) as found:
        names = sorted(each.name for each in found)
    for each in names:
        if MARK not in each:
            below = (*above, status.st_ino)
            yield from _walk(path / each, f"{name}/{each}", follow=follow, above=below)


def _add(archive: tarfile.TarFile, entry: _Entry) -> None:
    info = tarfile.TarInfo(entry.name)
    info.mode = stat.S_IMODE(entry.status.st_mode) & 0o777
    info.mtime = int(entry.status.st_mtime)
    if stat.S_ISDIR(entry.status.st_mode):
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif stat.S_ISLNK(entry.status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, str(entry.path.readlink())
        _check_link(info.name, info.linkname)
        archive.addfile(info)
    else:
        info.size = entry.status.st_size
        with entry.path.open("rb") as file:
            try:
                archive.addfile(info, file)
            except OSError as error:
                if error.errno is not None:
                    raise
                raise CopyError(f"{entry.path} became shorter while it was read") from None


class _Outgoing:
    """Hashes what is written, and says how much of it has gone through."""

    def __init__(self, write: Write, told: Told | None, size_bytes: int) -> None:
        self._write = write
        self._told = told
        self._size_bytes = size_bytes
        self._through = 0
        self._sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._sha256.update(data)
        self._write(data)
        self._through += len(data)
        if self._told:
            self._told(min(self._through, self._size_bytes), self._size_bytes)
        return len(data)

    def digest(self) -> bytes:
        return self._sha256.hexdigest().encode()


class _Incoming:
    """Hashes what is read, and keeps back the digest at the end."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._held = bytearray()
        self._ended = False
        self._sha256 = hashlib.sha256()

    def read(self, size: int) -> bytes:
        while len(self._held) < size + DIGEST_BYTES and self._more():
            pass
        return self._take(min(size, max(len(self._held) - DIGEST_BYTES, 0)))

    def line(self) -> bytes:
        while b"\n" not in self._held and len(self._held) < HEADER_BYTES_MAX and self._more():
            pass
        return self._take(self._held.find(b"\n") + 1)

    def check_digest(self) -> None:
        while self.read(CHUNK_BYTES):
            pass
        if bytes(self._held) != self._sha256.hexdigest().encode():
            raise CopyError("what arrived is not what was sent: the digest differs", "try again")

    def _more(self) -> bool:
        data = b"" if self._ended else self._read(CHUNK_BYTES)
        self._ended = not data
        self._held += data
        return not self._ended

    def _take(self, size: int) -> bytes:
        data = bytes(self._held[:size])
        del self._held[:size]
        self._sha256.update(data)
        return data


class _Unpacking:
    """An archive that is trusted in nothing: every entry is checked before it is made."""

    def __init__(self, beside: Path, contents: Contents, told: Told | None) -> None:
        self._beside = beside
        self._contents = contents
        self._told = told
        self._directories: dict[str, int] = {"": 0o700}  # with their modes
        self._links: list[tuple[str, str]] = []
        self._count = 0
        self._through = 0

    def run(self, archive: tarfile.TarFile) -> None:
        for info in archive:
            self._count += 1
            if self._count > self._contents.entries:
                raise CopyError("there are more entries than the stream has said")
            self._check_name(info.name)
            self._make(archive, info)
        if self._count != self._contents.entries or self._through != self._contents.size_bytes:
            raise CopyError("the stream ended before it was whole", "try again")
        # Links come last, so that nothing is ever written through one; modes when nothing more is made in them.
        for name, points_to in self._links:
            (self._beside / name).symlink_to(points_to)
        for name, mode in sorted(self._directories.items(), reverse=True):
            (self._beside / name).chmod(mode)

    def _check_name(self, name: str) -> None:
        parts = name.split("/")
        wrong = {"", ".", ".."} & set(parts) or parts[0] != self._contents.name or "\0" in name
        if wrong or len(parts) > DEPTH_MAX + 1 or len(os.fsencode(name)) > PATH_BYTES_MAX:
            raise CopyError(f"the stream has an entry that is not allowed: {name[:200]!r}")
        if "/".join(parts[:-1]) not in self._directories:
            raise CopyError(f"the stream has an entry out of its place: {name[:200]!r}")

    def _make(self, archive: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        path = self._beside / info.name
        if info.isdir():
            path.mkdir(mode=0o700)
            self._directories[info.name] = info.mode & 0o777
        elif info.issym():
            _check_link(info.name, info.linkname)
            self._links.append((info.name, info.linkname))
        elif info.isreg() and not info.issparse():
            self._write(archive, info, path)
        else:
            raise CopyError(f"the stream has an entry that is neither file nor directory: {path}")

    def _write(self, archive: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
        self._through += info.size
        if self._through > self._contents.size_bytes:
            raise CopyError("there are more bytes than the stream has said")
        begun = self._through - info.size  # before this file
        source = archive.extractfile(info)
        assert source is not None
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            left = info.size
            while left:
                data = source.read(min(CHUNK_BYTES, left))
                if not data:
                    raise CopyError("the stream ended before it was whole", "try again")
                left -= len(data)
                _write_all(data, fd)
                if self._told:
                    self._told(begun + info.size - left, self._contents.size_bytes)
            os.fchmod(fd, info.mode & 0o777)
            os.utime(fd, (info.mtime, info.mtime))
        finally:
            os.close(fd)


def _contents(line: bytes) -> Contents:
    try:
        fields: dict[str, Any] = json.loads(line)
        format_, contents = fields.pop("format"), Contents(**fields)
        counted = 0 < int(contents.entries) <= ENTRIES_MAX
        sane = counted and 0 <= int(contents.size_bytes) <= BYTES_MAX
        name = str(contents.name)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CopyError("what arrived is not a copy of anything", "try again") from None
    if format_ != FORMAT or not sane or {"/", "\0"} & set(name) or name in {"", ".", ".."}:
        raise CopyError("what arrived is not a copy that this version can take")
    return contents


def _place(target: Path, contents: Contents) -> Path:
    """Where it is to be in the end."""
    place = target / contents.name if target.is_dir() else target
    if not place.parent.is_dir():
        raise CopyError(f"there is no directory {place.parent}", "make it first")
    if os.path.lexists(place) and (contents.directory or place.is_dir()):
        raise CopyError(f"{place} is there already", "name another place, or remove it first")
    return Path(os.path.abspath(place))  # noqa: PTH100 - a link at its end is replaced, not followed


def _check_room(directory: Path, contents: Contents) -> None:
    free_bytes = shutil.disk_usage(directory).free
    if contents.size_bytes + SPARE_BYTES > free_bytes:
        detail = f"{contents.size_bytes} bytes do not fit: {free_bytes} are free in {directory}"
        raise CopyError(detail, "make room, or name another place")


def _check_link(name: str, points_to: str) -> None:
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


def _sweep(place: Path) -> None:
    """Remove what earlier copies to this place left when they were killed."""
    prefix = f".{place.name}{MARK}"
    for left in place.parent.iterdir():
        pid = left.name[len(prefix) :] if left.name.startswith(prefix) else ""
        if pid.isdecimal() and not Path("/proc", pid).exists():
            _remove(left)


def _remove(directory: Path) -> None:
    for path, names, _ in os.walk(directory):
        Path(path).chmod(0o700)
        for name in names:
            below = Path(path, name)
            if not below.is_symlink():
                below.chmod(0o700)
    shutil.rmtree(directory, ignore_errors=True)


def main(argv: list[str]) -> int:
    """What went wrong is one line of JSON on stderr; what was made, one on stdout."""
    signal.signal(signal.SIGHUP, _ended)
    signal.signal(signal.SIGTERM, _ended)
    try:
        path = Path(os.path.expanduser(argv[1]))  # noqa: PTH111 - of this place, whoever it is
        if argv[0] == "send":
            send(path, _write_all, follow="--follow" in argv[2:])
        else:
            done = receive(lambda size: os.read(0, size), path)
            _write_all(json.dumps(done._asdict()).encode() + b"\n")
    except CopyError as error:
        return _failed(str(error), error.hint)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _failed(f"{error.strerror or error}{where}", "")
    return 0


def _write_all(data: bytes, fd: int = 1) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _failed(detail: str, hint: str) -> int:
    sys.stderr.write(json.dumps({"detail": detail, "hint": hint}) + "\n")
    return 1


def _ended(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)  # on the way out, what is half there is removed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
