"""A file on its way into the artifact store: written, hashed, proven, moved. What ends early leaves nothing."""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from xxhash import xxh3_128

from gigawatt.build.digest import PREFIX, mismatch
from gigawatt.build.room import room_needed
from gigawatt.build.seals import seal
from gigawatt.engine.local.aside import mark_used
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.copying import TooLongError, copy_hashed


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What was put: a file, or a tree under the digest of its manifest, with the files and bytes it holds."""

    digest: str
    size_bytes: int
    files: int = 1


DIGESTS = "sha256"  # the directory of files by digest
Keep = Callable[[str, Path], None]  # hex digits, and a file that is proven to have them


def place_of(root: Path, hex_digits: str) -> Path:
    """Where the store keeps the file of that digest."""
    return root / DIGESTS / hex_digits[:2] / hex_digits


class Incoming:
    """One file being written below `root`. Use it as a context; what is not committed by its end is deleted."""

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self._root = root
        self._limit_bytes = limit_bytes
        self._sha256, self._xxh3 = hashlib.sha256(), xxh3_128()
        self._size_bytes = 0
        directory = _directory(root)
        with room_needed(root):
            directory.mkdir(parents=True, exist_ok=True)
            self._fd, name = tempfile.mkstemp(dir=directory)
        self._path = Path(name)
        fcntl.flock(self._fd, fcntl.LOCK_EX)  # a sweep leaves alone what is held

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._fd)

    def write(self, data: bytes | bytearray) -> None:
        """Append. Raises RefusalError (too-large, disk-full)."""
        self._size_bytes += len(data)
        if self._size_bytes > self._limit_bytes:
            raise self._too_large()
        self._sha256.update(data)
        self._xxh3.update(data)
        view = memoryview(data)
        with room_needed(self._root):
            while view:
                view = view[os.write(self._fd, view) :]

    def copy(self, fd: int, tell: Callable[[int], None]) -> None:
        """Write all of an open file, which is the first that is written. Raises RefusalError (too-large, disk-full), OSError."""
        assert not self._size_bytes
        try:
            with room_needed(self._root):
                self._size_bytes = copy_hashed(
                    fd,
                    self._fd,
                    sums=(self._sha256, self._xxh3),
                    limit_bytes=self._limit_bytes,
                    tell=tell,
                    flush=True,
                )
        except TooLongError as error:
            raise self._too_large() from error

    def commit(self, wanted: str = "", *, keep: Keep | None = None) -> Stored:
        """Move it to its place, durably, once `keep` has kept it elsewhere too.

        Raises RefusalError: `digest-mismatch` where it is not `wanted`; `disk-full`; what `keep` raises.
        """
        hex_digits = self._sha256.hexdigest()
        if wanted and wanted != PREFIX + hex_digits:
            raise mismatch(wanted=wanted, got=PREFIX + hex_digits)
        seal(self._fd, self._xxh3.hexdigest())
        place_whole(self._root, hex_digits, self._path, self._fd, keep=keep)
        return Stored(digest=PREFIX + hex_digits, size_bytes=self._size_bytes)

    def _too_large(self) -> RefusalError:
        detail = f"this is more than the {self._limit_bytes} bytes allowed"
        return RefusalError(RefusalCode.TOO_LARGE, detail)


def place_whole(
    root: Path, hex_digits: str, path: Path, fd: int, *, keep: Keep | None = None
) -> None:
    """Give a file that is proven to have these digits, open as `fd`, its place in the store, durably.

    Raises RefusalError: `disk-full`; what `keep` raises.
    """
    place = place_of(root, hex_digits)
    if mark_used(place):
        return
    with room_needed(root):
        os.utime(fd)
        os.fchmod(fd, 0o444)
        os.fsync(fd)
    if keep is not None:
        keep(hex_digits, path)
    with room_needed(root):
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)
        _sync(place.parent)


def sweep_incoming(root: Path) -> int:
    """Delete the files that killed writers left, and count them. Those that are written now are left alone."""
    directory = _directory(root)
    return sum(map(_sweep, sorted(directory.iterdir()))) if directory.exists() else 0


def _sweep(path: Path) -> int:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        path.unlink(missing_ok=True)
        return 1


def _directory(root: Path) -> Path:
    return root / "incoming"


def _sync(directory: Path) -> None:
    """Make a rename in `directory` durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
