"""Reading a rank's output from its segment files, while it runs and after its attempt is released."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from gigawatt.engine.supervisor.log_times import offset_since
from gigawatt.engine.supervisor.logs import END_MARK


class Chunk(NamedTuple):
    """Bytes from `offset` on; `end` where nothing comes after them."""

    offset: int
    data: bytes
    end: bool


def read_log(directory: Path, *, offset: int, limit: int) -> Chunk:
    """At most `limit` bytes from `offset`, or from the next byte that is still there; a negative one is from the end."""
    ended = (directory / END_MARK).exists()  # looked at before the data, which may grow meanwhile
    segments = _segments(directory)
    size = _end_of(segments)
    start = max(0, size + offset) if offset < 0 else offset
    chunk = b""
    for first, path in segments:
        length = _length(path)
        if first + length <= start:
            continue
        if not chunk:
            start = max(start, first)  # rotation dropped what was asked for
        elif first != start + len(chunk):
            break  # a gap: the next call begins after it
        chunk += _read(path, start + len(chunk) - first, limit - len(chunk))
        if len(chunk) >= limit:
            break
    return Chunk(start, chunk, ended and start + len(chunk) >= size)


def find_log(directory: Path, *, since_ms: int) -> int:
    """Where the first line begins that may have come at `since_ms` or later."""
    size = _end_of(_segments(directory))  # looked at first: what comes meanwhile is newer
    found = offset_since(directory, since_ms)
    return size if found is None else found


def _segments(directory: Path) -> list[tuple[int, Path]]:
    """Segment files with the offsets of their first bytes, in order."""
    return sorted((int(path.name), path) for path in directory.iterdir() if path.name.isdigit())


def _end_of(segments: list[tuple[int, Path]]) -> int:
    return segments[-1][0] + _length(segments[-1][1]) if segments else 0


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # rotated away just now


def _read(path: Path, offset: int, limit: int) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(fd, limit, offset)
    finally:
        os.close(fd)
