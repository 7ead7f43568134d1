"""The only reader of the wall clock and of chance. Everything else is given the time and its ids."""

import secrets
import time


def now_ms() -> int:
    """Milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def monotonic_s() -> float:
    """Seconds of a clock that never goes back; only differences mean anything."""
    return time.monotonic()


def entropy(size_bytes: int) -> bytes:
    """Unpredictable bytes, for ids, tokens and epochs' holders."""
    return secrets.token_bytes(size_bytes)
