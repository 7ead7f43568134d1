"""Waiting for something to become true, with a deadline: the one place where tests let time pass."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.02


def until(look: Callable[[], T | None], *, timeout_s: float = 30.0, what: str = "") -> T:
    """The first answer that is not None or False; TimeoutError with `what` and the last answer otherwise."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found is not None and found is not False:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"not in {timeout_s} s: {what or look}")
        time.sleep(POLL_S)
