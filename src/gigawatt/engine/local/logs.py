"""A rank's output in the directory of its node, where the control plane sees it too."""

from pathlib import Path

from gigawatt.engine.base import LogChunk, LogStream, UnknownAttemptError
from gigawatt.engine.local.files import known_nodes, nodes_dir
from gigawatt.engine.supervisor import log_reading
from gigawatt.model.launch import AttemptKey


def read_log(
    data: Path, key: AttemptKey, rank: int, stream: LogStream, *, offset: int, limit: int
) -> LogChunk:
    """At most `limit` bytes from `offset`, or from the next byte that is still there.

    A negative offset counts from the end. Raises UnknownAttemptError.
    """
    return read_in(directory_of(data, key, rank, stream), offset=offset, limit=limit)


def find_log(data: Path, key: AttemptKey, rank: int, stream: LogStream, *, since_ms: int) -> int:
    """Where the first line begins that may have come at `since_ms` or later. Raises UnknownAttemptError."""
    return log_reading.find_log(directory_of(data, key, rank, stream), since_ms=since_ms)


def read_in(directory: Path, *, offset: int, limit: int) -> LogChunk:
    """The same, of the directory that a rank's output is in."""
    chunk = log_reading.read_log(directory, offset=offset, limit=limit)
    return LogChunk(offset=chunk.offset, data=chunk.data, end=chunk.end)


def directory_of(data: Path, key: AttemptKey, rank: int, stream: LogStream) -> Path:
    """Raises UnknownAttemptError."""
    if "/" not in str(key):
        for node in known_nodes(data):
            path = nodes_dir(data) / node / "attempts" / str(key) / "logs" / f"rank-{rank}.{stream}"
            if path.is_dir():
                return path
    raise UnknownAttemptError(f"there is no log of rank {rank} of {key}")
