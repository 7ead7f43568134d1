"""How much of a remote place for artifacts is kept on this disk: the longest unused go, and are fetched again if asked for.

A file has its name here only once the remote has it, so nothing is lost by removing it. What is laid out for a node or
a replica is linked to its files, which then take no room of their own: they stay, and so does what live work reads.
"""

import threading
from collections.abc import Callable
from pathlib import Path

from gigawatt.build.digest import PREFIX
from gigawatt.clock import now_ms

GRACE_MS = 10 * 60 * 1000  # since it was asked for, in which whoever did opens it
LEAVE_PERCENT = 90  # of the limit, so that not every file that comes has the disk looked through


class Cache:
    """Files below `directory`, at most `bytes_max` together; 0 is without limit. Any thread may call."""

    def __init__(self, directory: Path, bytes_max: int) -> None:
        self._directory = directory
        self._bytes_max = bytes_max
        self._needed: Callable[[str], bool] = lambda _: False
        self._used_ms: dict[str, int] = {}
        self._held_bytes: int | None = None  # about; None before it was looked at
        self._lock = threading.Lock()

    def spare(self, needed: Callable[[str], bool]) -> None:
        """From now on nothing goes that is `needed`: digests that live work reads where they lie."""
        self._needed = needed

    def use(self, hex_digits: str) -> None:
        """It was asked for just now."""
        if self._bytes_max:
            self._used_ms[hex_digits] = now_ms()

    def make_room(self, size_bytes: int) -> None:
        """A file of so many bytes is about to come in."""
        if not self._bytes_max:
            return
        with self._lock:
            held_bytes = self._held_bytes
            if held_bytes is None or held_bytes + size_bytes > self._bytes_max:
                held_bytes = self._trim(size_bytes)
            self._held_bytes = held_bytes + size_bytes

    def _trim(self, coming_bytes: int) -> int:
        """Remove the longest unused; the bytes that are left."""
        found = sorted(self._found())
        held_bytes = sum(size for _, _, size, _ in found)
        if held_bytes + coming_bytes <= self._bytes_max:
            return held_bytes
        leave_bytes = self._bytes_max * LEAVE_PERCENT // 100 - coming_bytes
        settled_ms = now_ms() - GRACE_MS
        for used_ms, name, size, links in found:
            if held_bytes <= leave_bytes or used_ms > settled_ms:
                break
            if links > 1 or self._needed(PREFIX + name):
                continue
            (self._directory / name[:2] / name).unlink(missing_ok=True)
            self._used_ms.pop(name, None)
            held_bytes -= size
        return held_bytes

    def _found(self) -> list[tuple[int, str, int, int]]:
        """When it was last used, its name, its bytes and its links, of each file."""
        found: list[tuple[int, str, int, int]] = []
        for path in self._directory.glob("??/*"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            used_ms = max(status.st_mtime_ns // 1_000_000, self._used_ms.get(path.name, 0))
            found.append((used_ms, path.name, status.st_size, status.st_nlink))
        return found
