"""One open file into another and the digests of what was written, in the time that the slowest of these takes."""

import ctypes
import errno
import fcntl
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

CHUNK_BYTES = 8 * 1024 * 1024
READ_BYTES = 256 * 1024
AHEAD = 3  # chunks that are written before the first of them is hashed
FLUSH_BYTES = 256 * 1024 * 1024  # of what must be durable, while the rest is still copied
TELL_BYTES = 32 * 1024 * 1024
FICLONE = 0x40049409  # of Linux: the file shares its blocks with another one until either changes
FALLOC_FL_KEEP_SIZE = 1  # of Linux: blocks are set aside, and the file's size stays
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_fallocate: Any = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)  # of Linux alone
if _fallocate is not None:
    _fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class Sum(Protocol):
    """A hash that takes bytes as they come: hashlib's, xxhash's."""

    def update(self, data: memoryview, /) -> object: ...


class TooLongError(Exception):
    """The file has more bytes than were allowed."""


def copy_hashed(
    source_fd: int,
    target_fd: int,
    *,
    sums: Sequence[Sum],
    limit_bytes: int,
    tell: Callable[[int], None] = lambda _: None,
    flush: bool = False,
) -> int:
    """Copy all of a file from its start into an empty one that is open to be read too; how many bytes.

    Each of `sums` gets all of them, in another thread. `flush` begins to make it durable on the way, for an fsync that
    follows. What is hashed is what was written, also where the source changes meanwhile. Raises OSError, TooLongError.
    """
    move = _shared if _cloned(source_fd, target_fd) else _moved
    reserved = 0 if move is _shared else _reserved(source_fd, target_fd, limit_bytes)
    through = told = flushed = 0
    with _behind() as hashing, _behind() as flushing:
        while count := move(source_fd, target_fd, through):
            if through + count > limit_bytes:
                raise TooLongError
            hash_it = partial(_hash, sums, target_fd, through, count)
            if count == CHUNK_BYTES:
                hashing.begin(hash_it, ahead=AHEAD)
            else:  # the last one, and for most files the only one
                hashing.settle(0)
                hash_it()
            through += count
            if through - told >= TELL_BYTES:
                tell(through)
                told = through
            if flush and through - flushed >= FLUSH_BYTES and flushing.idle:
                flushing.begin(partial(os.fdatasync, target_fd), ahead=1)
                flushed = through
    if through < reserved:
        os.ftruncate(target_fd, through)  # gives back what the source has lost meanwhile
    tell(through)
    return through


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


def _reserved(source_fd: int, target_fd: int, limit_bytes: int) -> int:
    """Set blocks aside for all of the copy, in bytes: ext4 finds one for each 4 KiB otherwise, a third of a copy's time.

    0 where it is not worth it, may not be copied whole, or the file system cannot. Raises OSError where there is no room.
    """
    size = os.fstat(source_fd).st_size
    if _fallocate is None or not CHUNK_BYTES < size <= limit_bytes:
        return 0
    if _fallocate(target_fd, FALLOC_FL_KEEP_SIZE, 0, size) == 0:
        return size
    failed = ctypes.get_errno()
    if failed in NO_ROOM:
        raise OSError(failed, os.strerror(failed))
    return 0


def _shared(_: int, target_fd: int, offset: int) -> int:
    """How many bytes from `offset` on are there already, a chunk at most."""
    return min(max(os.fstat(target_fd).st_size - offset, 0), CHUNK_BYTES)


def _moved(source_fd: int, target_fd: int, offset: int) -> int:
    """Copy a chunk; its bytes, fewer only at the end of the file. The kernel does it where it can, for half of the time."""
    count = 0
    while count < CHUNK_BYTES:
        left = CHUNK_BYTES - count
        try:
            moved = os.copy_file_range(source_fd, target_fd, left, offset + count, offset + count)
        except OSError:  # over a border between file systems, for one
            moved = 0
        if not moved:
            data = os.pread(source_fd, left, offset + count)
            moved = os.pwrite(target_fd, data, offset + count) if data else 0
        if not moved:
            break
        count += moved
    return count


def _hash(sums: Sequence[Sum], fd: int, offset: int, count: int) -> None:
    """Hash bytes that are in the page cache, in pieces that the processor's cache holds."""
    buffer = memoryview(bytearray(min(count, READ_BYTES)))
    end = offset + count
    while offset < end:
        read = os.preadv(fd, [buffer[: end - offset]], offset)
        if not read:
            raise OSError(errno.EIO, "the copy is shorter than what was written to it")
        for each in sums:
            each.update(buffer[:read])
        offset += read
