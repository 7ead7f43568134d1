"""A file on its way into the artifact store: written, hashed, proven, moved. What ends early leaves nothing."""

import fcntl
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from gigawatt.build.digest import PREFIX, mismatch
from gigawatt.build.room import room_needed
from gigawatt.engine.local.aside import mark_used
from gigawatt.model.refusal import RefusalCode, RefusalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What was put: a file, or a tree under the digest of its manifest, with the files and bytes it holds."""

    digest: str
    size_bytes: int
    files: int = 1


def place_of(root: Path, hex_digits: str) -> Path:
    """Where the store keeps the file of that digest."""
    return root / "sha256" / hex_digits[:2] / hex_digits


class Incoming:
    """One file being written below `root`. Use it as a context; what is not committed by its end is deleted."""

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self._root = root
        self._limit_bytes = limit_bytes
        self._hash = hashlib.sha256()
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
            raise RefusalError(
                RefusalCode.TOO_LARGE, f"this is more than the {self._limit_bytes} bytes allowed"
            )
        self._hash.update(data)
        view = memoryview(data)
        with room_needed(self._root):
            while view:
                view = view[os.write(self._fd, view) :]

    def commit(self, wanted: str = "") -> Stored:
        """Move it to its place, durably. Raises RefusalError: `digest-mismatch` where it is not `wanted`; `disk-full`."""
        hex_digits = self._hash.hexdigest()
        if wanted and wanted != PREFIX + hex_digits:
            raise mismatch(wanted=wanted, got=PREFIX + hex_digits)
        place = place_of(self._root, hex_digits)
        if not mark_used(place):
            with room_needed(self._root):
                os.fchmod(self._fd, 0o444)
                os.fsync(self._fd)
                place.parent.mkdir(parents=True, exist_ok=True)
                self._path.rename(place)
                _sync(place.parent)
        return Stored(digest=PREFIX + hex_digits, size_bytes=self._size_bytes)


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
