"""Bytes of one file by HTTP, in ranges that are asked for side by side and come out in their order.

One connection is rarely as fast as the line is. What is in memory is RANGE_BYTES * SIDE_BY_SIDE at most.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import httpx2

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.ahead import ahead
from gigawatt.sdk.transport import Transport

RANGE_BYTES = 16 * 1024 * 1024
SIDE_BY_SIDE = 4
CHUNK_BYTES = 1 << 20
PARTIAL = 206


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file by its route and query. Bytes from `start` up to `end`."""

    path: str
    params: Mapping[str, str]
    start: int
    end: int


def in_order(transport: Transport, wanted: Wanted) -> Iterator[bytes]:
    """The bytes, a range at a time. A range that breaks off goes on where it was, as long as patience lasts.

    Raises ApiError; UnreachableError; RefusalError (invalid) where what answers knows no ranges.
    """
    calls = (
        partial(_range, transport, wanted, start, min(start + RANGE_BYTES, wanted.end))
        for start in range(wanted.start, wanted.end, RANGE_BYTES)
    )
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="range") as threads:
        yield from ahead(threads, calls, count=SIDE_BY_SIDE)


def _range(transport: Transport, wanted: Wanted, start: int, end: int) -> bytes:
    got = bytearray()
    pauses = transport.pauses()
    while len(got) < end - start:
        try:
            _extend(got, transport, wanted, start, end)
        except httpx2.TransportError as error:
            if next(pauses, None) is None:
                raise transport.unreachable(error) from error
    return bytes(got)


def _extend(got: bytearray, transport: Transport, wanted: Wanted, start: int, end: int) -> None:
    headers = {"Range": f"bytes={start + len(got)}-{end - 1}"}
    with transport.stream(wanted.path, wanted.params, headers) as response:
        if response.status_code != PARTIAL:
            raise _unusable("it does not answer ranges")
        for chunk in response.iter_raw(CHUNK_BYTES):
            got += chunk
            if len(got) > end - start:
                raise _unusable("it sends more than was asked for")
    if len(got) < end - start:
        raise httpx2.RemoteProtocolError(f"{end - start - len(got)} bytes of a range did not come")


def _unusable(problem: str) -> RefusalError:
    return RefusalError(RefusalCode.INVALID, f"the store's answer cannot be used: {problem}")
