"""Copying files and directories from and to a rank, as one stream that cannot do harm where it arrives.

A stream is a line of JSON about what is in it, an archive (tar), and the SHA-256 of both in hexadecimal. Whoever reads
one unpacks it beside its place, and moves it there once the digest has been found right: half a copy is never seen.
Of one that was broken off, what has arrived is kept: the sender leaves that part out the next time, if nothing has
changed there, and both ends compare the digests of what they have of it.

Beside a rank it is a program: `send PATH`, `receive PATH`, `kept PATH NAME`. Standard library only, Python 3.9 or later.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from gigawatt.rank.entries import (
    CopyError,
    Entry,
    digest_of,
    existing,
    fingerprint,
    walk,
)
from gigawatt.rank.kept import (
    KEPT_BYTES_MIN,
    Kept,
    beside_of,
    fingerprint_of,
    keep,
    kept_at,
    left_at,
    remove,
)
from gigawatt.rank.unpacking import (
    CHUNK_BYTES,
    EARLY,
    ON,
    BrokenOffError,
    Contents,
    Told,
    Unpacking,
    check_link,
    write_all,
)

FORMAT = 2
DIGEST_BYTES = 64
HEADER_BYTES_MAX = 16 << 10
ENTRIES_MAX = 1_000_000
BYTES_MAX = 16 << 40  # what a stream may say of itself; the room on the disk is a limit of its own
SPARE_BYTES = 64 << 20  # left free on the disk

Write = Callable[[bytes], object]
Read = Callable[[int], bytes]


class Copied(NamedTuple):
    """`kept_bytes` were there from an earlier try."""

    path: str
    entries: int
    size_bytes: int
    kept_bytes: int = 0


def send(
    source: Path,
    write: Write,
    *,
    follow: bool = False,
    told: Told | None = None,
    kept: Kept | None = None,
) -> Contents:
    """Write a stream of a file, or of a directory with all below it. With `follow`, what links point to is copied.

    What the other end has `kept` of the very same is left out. Raises CopyError, OSError.
    """
    root = existing(source)
    entries = list(walk(root, root.name, follow=follow))
    contents = _described(root, entries, kept)
    skipped = sum(each.file_bytes for each in entries[: max(contents.kept_entries - 1, 0)])
    through = skipped + contents.kept_part_bytes
    outgoing: Any = _Outgoing(write, told, contents.size_bytes, through)  # what an archive needs
    outgoing.write(json.dumps({"format": FORMAT, **contents._asdict()}).encode() + b"\n")
    with tarfile.open(
        fileobj=outgoing, mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK_BYTES
    ) as archive:
        wide: Any = archive
        wide.copybufsize = CHUNK_BYTES
        _add_last_kept(archive, entries, contents)
        for entry in entries[contents.kept_entries :]:
            _add(archive, entry)
    write(outgoing.digest())
    return contents


def receive(read: Read, target: Path, *, told: Told | None = None) -> Copied:
    """Unpack a stream at `target`, or in it if that is a directory. Raises CopyError, OSError; then nothing is there.

    Where the stream broke off and it is worth it, what has arrived is left beside the place, for the next one to go on with.
    """
    incoming = _Incoming(read)
    contents = _contents(incoming.line())
    place = _place(target, contents.name)
    if os.path.lexists(place) and (contents.directory or place.is_dir()):
        raise CopyError(f"{place} is there already", "name another place, or remove it first")
    beside = _made_ready(place, contents)
    unpacking = Unpacking(beside, contents, told)
    try:
        _unpack(incoming, unpacking)
        (beside / contents.name).replace(place)
    except BaseException as error:
        if unpacking.through >= KEPT_BYTES_MIN and _broke_off(error):
            unpacking.close()
            keep(beside, place)
        raise
    finally:
        unpacking.close()
        remove(beside)
    return Copied(str(place), contents.entries, contents.size_bytes, unpacking.kept_bytes)


def kept(target: Path, name: str) -> Kept | None:
    """What an earlier copy of `name` has left at `target`, for `send`."""
    return kept_at(_place(target, name)) if name not in {"", ".", ".."} else None


def is_large(source: Path, *, follow: bool = False) -> bool:
    """Whether it is worth asking for what was kept of it. Raises CopyError, OSError."""
    root, through = existing(source), 0
    for each in walk(root, root.name, follow=follow):
        through += each.file_bytes
        if through >= KEPT_BYTES_MIN:
            return True
    return False


def _described(root: Path, entries: list[Entry], kept: Kept | None) -> Contents:
    size_bytes = sum(each.file_bytes for each in entries)
    whole = Contents(root.name, root.is_dir(), len(entries), size_bytes, fingerprint(entries))
    if (
        kept is None
        or kept.fingerprint != whole.fingerprint
        or not 0 < kept.entries <= len(entries)
    ):
        return whole
    *before, last = entries[: kept.entries]
    if not 0 <= kept.part_bytes <= last.file_bytes:
        return whole
    parts = [(each.path, each.file_bytes) for each in before if each.file_bytes]
    parts += [(last.path, kept.part_bytes)] if kept.part_bytes else []
    return whole._replace(
        kept_entries=kept.entries,
        kept_part_bytes=kept.part_bytes,
        kept_sha256=digest_of(parts),
    )


def _add_last_kept(archive: tarfile.TarFile, entries: list[Entry], contents: Contents) -> None:
    """The rest of the entry of which a part is there, also where there is nothing left of it."""
    if contents.kept_entries:
        last = entries[contents.kept_entries - 1]
        if stat.S_ISREG(last.status.st_mode):
            _add(archive, last, from_bytes=contents.kept_part_bytes)


def _add(archive: tarfile.TarFile, entry: Entry, *, from_bytes: int = 0) -> None:
    info = tarfile.TarInfo(entry.name)
    info.mode = stat.S_IMODE(entry.status.st_mode) & 0o777
    info.mtime = int(entry.status.st_mtime)
    if stat.S_ISDIR(entry.status.st_mode):
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif stat.S_ISLNK(entry.status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, str(entry.path.readlink())
        check_link(info.name, info.linkname)
        archive.addfile(info)
    else:
        info.size = entry.status.st_size - from_bytes
        with entry.path.open("rb") as file:
            file.seek(from_bytes)
            try:
                archive.addfile(info, file)
            except OSError as error:
                if error.errno is not None:
                    raise
                raise CopyError(f"{entry.path} became shorter while it was read") from None


class _Outgoing:
    """Hashes what is written, and says how much of it has gone through."""

    def __init__(self, write: Write, told: Told | None, size_bytes: int, through: int) -> None:
        self._write = write
        self._told = told
        self._size_bytes = size_bytes
        self._through = through
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
        self.ended = False
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
            if len(self._held) < DIGEST_BYTES:
                raise BrokenOffError(EARLY, ON)
            raise CopyError("what arrived is not what was sent: the digest differs", "try again")

    def _more(self) -> bool:
        data = b"" if self.ended else self._read(CHUNK_BYTES)
        self.ended = not data
        self._held += data
        return not self.ended

    def _take(self, size: int) -> bytes:
        data = bytes(self._held[:size])
        del self._held[:size]
        self._sha256.update(data)
        return data


def _contents(line: bytes) -> Contents:
    try:
        fields: dict[str, Any] = json.loads(line)
        format_, contents = fields.pop("format"), Contents(**fields)
        counted = 0 < int(contents.entries) <= ENTRIES_MAX
        sane = counted and 0 <= int(contents.size_bytes) <= BYTES_MAX
        sane = sane and 0 <= int(contents.kept_entries) <= contents.entries
        name = str(contents.name)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CopyError("what arrived is not a copy of anything", "try again") from None
    if format_ != FORMAT or not sane or {"/", "\0"} & set(name) or name in {"", ".", ".."}:
        raise CopyError("what arrived is not a copy that this version can take")
    return contents


def _place(target: Path, name: str) -> Path:
    """Where it is to be in the end."""
    place = target / name if target.is_dir() else target
    if not place.parent.is_dir():
        raise CopyError(f"there is no directory {place.parent}", "make it first")
    return Path(os.path.abspath(place))  # noqa: PTH100 - a link at its end is replaced, not followed


def _made_ready(place: Path, contents: Contents) -> Path:
    """A directory beside the place, with what was kept in it if the stream leaves that out. The rest of before is removed."""
    beside = beside_of(place)
    if contents.kept_entries:
        for left in left_at(place):
            if fingerprint_of(left) == contents.fingerprint:
                left.replace(beside)
                break
    for left in left_at(place):
        remove(left)
    try:
        beside.mkdir(mode=0o700, exist_ok=bool(contents.kept_entries))
        kept_bytes = sum(each.lstat().st_size for each in beside.rglob("*") if each.is_file())
        _check_room(place.parent, contents, kept_bytes)
    except BaseException:
        remove(beside)
        raise
    return beside


def _unpack(incoming: _Incoming, unpacking: Unpacking) -> None:
    wide: Any = incoming  # as much of a file as an archive needs
    try:
        unpacking.go_on()
        with tarfile.open(fileobj=wide, mode="r|", bufsize=CHUNK_BYTES) as archive:
            unpacking.run(archive)
        incoming.check_digest()
    except tarfile.TarError as error:
        if incoming.ended:
            raise BrokenOffError(EARLY, ON) from None
        raise CopyError(f"the stream is damaged: {error}", "try again") from None


def _broke_off(error: BaseException) -> bool:
    """Whether what has arrived is good: it was the way there that ended, or somebody ended it."""
    if isinstance(error, CopyError):
        return isinstance(error, BrokenOffError)
    return not isinstance(error, OSError) or isinstance(error, ConnectionError)


def _check_room(directory: Path, contents: Contents, kept_bytes: int) -> None:
    free_bytes = shutil.disk_usage(directory).free
    if contents.size_bytes - kept_bytes + SPARE_BYTES > free_bytes:
        detail = f"{contents.size_bytes} bytes do not fit: {free_bytes} are free in {directory}"
        raise CopyError(detail, "make room, or name another place")


def main(argv: list[str]) -> int:
    """What went wrong is one line of JSON on stderr; what was made, one on stdout."""
    signal.signal(signal.SIGHUP, _ended)
    signal.signal(signal.SIGTERM, _ended)
    try:
        path = Path(os.path.expanduser(argv[1]))  # noqa: PTH111 - of this place, whoever it is
        if argv[0] == "send":
            send(path, write_all, follow="--follow" in argv[2:], kept=_told_kept(argv[2:]))
        elif argv[0] == "kept":
            write_all(json.dumps(kept(path, argv[2])).encode() + b"\n")
        else:
            done = receive(lambda size: os.read(0, size), path)
            write_all(json.dumps(done._asdict()).encode() + b"\n")
    except CopyError as error:
        return _failed(str(error), error.hint)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _failed(f"{error.strerror or error}{where}", "")
    return 0


def _told_kept(options: list[str]) -> Kept | None:
    """`--kept FINGERPRINT ENTRIES BYTES`."""
    if "--kept" not in options:
        return None
    found, entries, part_bytes = options[options.index("--kept") + 1 :][:3]
    return Kept(found, int(entries), int(part_bytes))


def _failed(detail: str, hint: str) -> int:
    sys.stderr.write(json.dumps({"detail": detail, "hint": hint}) + "\n")
    return 1


def _ended(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)  # on the way out, what is half there is removed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
