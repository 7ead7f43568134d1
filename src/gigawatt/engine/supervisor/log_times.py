"""When a rank's output came: beside each segment of its log, an index of times and offsets of beginnings of lines.

An entry is two integers of 8 bytes. There is one a second at most, and of little output one for each 64 bytes or 10
seconds: exact to a second where much comes, a quarter of the output at most there, and 140 kB a day where little comes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

SUFFIX = ".times"
ENTRY = struct.Struct("<qq")  # Unix milliseconds, offset
EVERY_MS = 1_000
QUIET_MS = 10_000  # what little comes in this time shares an entry
QUIET_BYTES = 64
_LINE_ENDS = (b"\n", b"\r")  # progress bars go back to the beginning


class Times:
    """Of one log. `now_ms` is the clock. What the disk does not take is left out: the log itself matters more."""

    def __init__(self, directory: Path, now_ms: Callable[[], int]) -> None:
        self._directory = directory
        self._now_ms = now_ms
        self._fd = -1
        self._at_ms = 0
        self._offset = 0
        self._at_beginning = True  # of a line

    def roll(self, segment: int) -> None:
        """A new segment begins; its first line has an entry in any case."""
        self.close()
        self._at_ms = 0
        path = self._directory / f"{segment:016d}{SUFFIX}"
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        except OSError:
            self._fd = -1

    def note(self, offset: int, data: memoryview) -> None:
        """`data` comes now and is put at `offset`."""
        at_ms = self._now_ms()
        if self._is_due(at_ms, offset):
            self._enter(at_ms, offset, data)
        self._at_beginning = bytes(data[-1:]) in _LINE_ENDS

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _is_due(self, at_ms: int, offset: int) -> bool:
        waited_ms = at_ms - self._at_ms
        if waited_ms < EVERY_MS:
            return False
        return waited_ms >= QUIET_MS or offset - self._offset >= QUIET_BYTES

    def _enter(self, at_ms: int, offset: int, data: memoryview) -> None:
        begins = 0 if self._at_beginning else _first_line(bytes(data))
        if begins >= len(data) or self._fd < 0:
            return
        try:
            os.write(self._fd, ENTRY.pack(at_ms, offset + begins))
        except OSError:
            return
        self._at_ms, self._offset = at_ms, offset + begins


def offset_since(directory: Path, since_ms: int) -> int | None:
    """Where the first line begins that may have come at `since_ms` or later: nothing that did is before it.

    None if all that is indexed came earlier; 0 where there is no index at all.
    """
    files = sorted(path for path in directory.iterdir() if path.name.endswith(SUFFIX))
    if not files:
        return 0
    before: tuple[int, int] | None = None
    for entry in _entries(files):
        if before is not None and min(entry[0], before[0] + QUIET_MS) > since_ms:
            return before[1]
        before = entry
    if before is None or before[0] + QUIET_MS > since_ms:
        return before[1] if before else 0
    return None


def _entries(files: list[Path]) -> Iterator[tuple[int, int]]:
    for path in files:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # rotated away just now
        yield from ENTRY.iter_unpack(data[: len(data) // ENTRY.size * ENTRY.size])


def _first_line(data: bytes) -> int:
    """Where the first line begins that does not begin before `data`."""
    found = [at for at in map(data.find, _LINE_ENDS) if at >= 0]
    return min(found) + 1 if found else len(data)
