"""Reading a rank's output from its segment files, while it runs and after its attempt is released."""

import os
from pathlib import Path

from gigawatt.engine.base import LogChunk, LogStream, UnknownAttemptError
from gigawatt.engine.local.files import known_nodes, nodes_dir
from gigawatt.engine.supervisor.log_times import offset_since
from gigawatt.engine.supervisor.logs import END_MARK
from gigawatt.model.launch import AttemptKey


def read_log(
    data: Path, key: AttemptKey, rank: int, stream: LogStream, *, offset: int, limit: int
) -> LogChunk:
    """At most `limit` bytes from `offset`, or from the next byte that is still there.

    A negative offset counts from the end. Raises UnknownAttemptError.
    """
    directory = _directory(data, key, rank, stream)
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
    return LogChunk(offset=start, data=chunk, end=ended and start + len(chunk) >= size)


def find_log(data: Path, key: AttemptKey, rank: int, stream: LogStream, *, since_ms: int) -> int:
    """Where the first line begins that may have come at `since_ms` or later. Raises UnknownAttemptError."""
    directory = _directory(data, key, rank, stream)
    size = _end_of(_segments(directory))  # looked at first: what comes meanwhile is newer
    found = offset_since(directory, since_ms)
    return size if found is None else found


def _directory(data: Path, key: AttemptKey, rank: int, stream: LogStream) -> Path:
    if "/" not in str(key):
        for node in known_nodes(data):
            path = nodes_dir(data) / node / "attempts" / str(key) / "logs" / f"rank-{rank}.{stream}"
            if path.is_dir():
                return path
    raise UnknownAttemptError(f"there is no log of rank {rank} of {key}")


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
