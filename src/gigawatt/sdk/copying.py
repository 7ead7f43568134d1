"""One open file into another and the SHA-256 of what was written, in the time that the slower of the two takes."""

import fcntl
import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

CHUNK_BYTES = 2 * 1024 * 1024
AHEAD = 3  # chunks that are written before the first of them is hashed
FLUSH_BYTES = 256 * 1024 * 1024  # of what must be durable, while the rest is still copied
TELL_BYTES = 32 * 1024 * 1024
FICLONE = 0x40049409  # of Linux: the file shares its blocks with another one until either changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was written."""

    sha256: str
    size: int


class TooLongError(Exception):
    """The file has more bytes than were allowed."""


def copy_hashed(
    source_fd: int,
    target_fd: int,
    *,
    limit_bytes: int,
    tell: Callable[[int], None] = lambda _: None,
    flush: bool = False,
) -> Copied:
    """Copy all of a file from its start; `flush` begins to make it durable on the way, for an fsync that follows.

    What is hashed is what is written, also where the source changes meanwhile. Raises OSError, TooLongError.
    """
    cloned = _cloned(source_fd, target_fd)
    source = target_fd if cloned else source_fd
    sha256 = hashlib.sha256()
    through = told = flushed = 0
    chunk_bytes = min(CHUNK_BYTES, os.fstat(source).st_size + 1)
    buffers = deque([bytearray(chunk_bytes)])
    with _behind() as hashing, _behind() as flushing:
        while count := os.preadv(source, [buffers[0]], through):
            chunk = memoryview(buffers[0])[:count]
            if through + count > limit_bytes:
                raise TooLongError
            if count == CHUNK_BYTES:
                hashing.begin(partial(sha256.update, chunk), ahead=AHEAD)
            else:  # the last one, and for most files the only one
                hashing.settle(0)
                sha256.update(chunk)
            if not cloned:
                _write(target_fd, chunk, through)
            if len(buffers) <= AHEAD:
                buffers.appendleft(bytearray(chunk_bytes))
            else:
                buffers.rotate(1)  # what is first now has been hashed
            through += count
            if through - told >= TELL_BYTES:
                tell(through)
                told = through
            if flush and through - flushed >= FLUSH_BYTES and flushing.idle:
                flushing.begin(lambda: os.fdatasync(target_fd), ahead=1)
                flushed = through
    tell(through)
    return Copied(sha256=sha256.hexdigest(), size=through)


class _Behind:
    """Calls in another thread, one after the other, some of them ahead of being waited for."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._begun: list[Future[None]] = []

    @property
    def idle(self) -> bool:
        return all(each.done() for each in self._begun)

    def begin(self, call: Callable[[], None], *, ahead: int) -> None:
        self._begun.append(self._thread.submit(call))
        self.settle(ahead - 1)

    def settle(self, left: int) -> None:
        """Wait until at most `left` are not done. Raises what they raised."""
        while len(self._begun) > left:
            self._begun.pop(0).result()


@contextmanager
def _behind() -> Generator[_Behind]:
    with ThreadPoolExecutor(1) as thread:
        behind = _Behind(thread)
        yield behind
        behind.settle(0)


def _cloned(source_fd: int, target_fd: int) -> bool:
    try:
        fcntl.ioctl(target_fd, FICLONE, source_fd)
    except OSError:  # most file systems cannot, and none can over a border
        return False
    return True


def _write(fd: int, view: memoryview, offset: int) -> None:
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written
