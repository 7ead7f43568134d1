"""The only reader of the wall clock and of chance. Everything else is given the time and its ids."""

import os
import secrets
import threading
import time

BLOCK_BYTES = 4096

monotonic_s = (
    time.monotonic
)  # seconds of a clock that never goes back; only differences mean anything

_block = bytearray()
_lock = threading.Lock()
os.register_at_fork(after_in_child=_block.clear)  # a child must not hand out the same bytes


def now_ms() -> int:
    """Milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def entropy(size_bytes: int) -> bytes:
    """Unpredictable bytes, for ids, tokens and epochs' holders.

    Read from the system in blocks: a call for each id costs more than all else that is done for a submission.
    """
    if size_bytes > BLOCK_BYTES:
        return secrets.token_bytes(size_bytes)
    with _lock:
        if len(_block) < size_bytes:
            _block[:] = secrets.token_bytes(BLOCK_BYTES)
        taken = bytes(_block[:size_bytes])
        del _block[:size_bytes]
    return taken
