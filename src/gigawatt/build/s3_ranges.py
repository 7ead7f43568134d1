"""Bytes of one object: a range that is asked for again where its body breaks off, and all of it in ranges side by side."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar

from gigawatt.build.s3_client import SIDE_BY_SIDE
from gigawatt.sdk.ahead import ahead

TRIES = 4  # of one request, with growing pauses between them
PAUSE_S = 0.2  # before a range is asked for again; doubled each time

Range = TypeVar("Range")
Ask = Callable[[str], dict[str, Any]]  # what a GET with that header `Range` answers


class Got(NamedTuple):
    data: bytes
    reply: dict[str, Any]


class ShortError(Exception):
    """The storage gave fewer bytes than it said it has, each time."""


def read_range(ask: Ask, start: int, end: int, *, tries: int) -> Got:
    """Bytes from `start` up to `end`. Raises ShortError, and the library's errors: of a reply at once, of its body in the end."""
    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    pause_s = PAUSE_S
    for attempt in range(tries):
        if attempt:
            threading.Event().wait(pause_s)
            pause_s *= 2
        # The client asks again by itself for what is not answered, but not where a body breaks off.
        reply = ask(f"bytes={start}-{end - 1}")
        try:
            data: bytes = reply["Body"].read()
        except (BotoCoreError, HTTPError, OSError):
            if attempt + 1 == tries:
                raise
        else:
            if len(data) == end - start:
                return Got(data, reply)
    raise ShortError


def side_by_side(
    read: Callable[[int, int], Range], size_bytes: int, step_bytes: int
) -> Iterator[Range]:
    """What `read` gives of each range, in order, of which several are on their way."""
    ranges = [
        (start, min(start + step_bytes, size_bytes)) for start in range(0, size_bytes, step_bytes)
    ]
    if len(ranges) <= 1:
        yield from (read(start, end) for start, end in ranges)
        return
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="s3-read") as threads:
        calls = (partial(read, start, end) for start, end in ranges)
        yield from ahead(threads, calls, count=SIDE_BY_SIDE)
