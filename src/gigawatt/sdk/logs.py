"""Output of ranks as bytes or lines, from any offset, taken up again where a broken connection left off."""

import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TypeVar, cast

import httpx2

from gigawatt import clock
from gigawatt.sdk.errors import ApiError
from gigawatt.sdk.transport import UNAVAILABLE, Params, Transport
from gigawatt.sdk.views import LineView
from gigawatt.sdk.watch import STEADY_S

LINE_BYTES_MAX = 1 << 20

T = TypeVar("T")

OFFSET_HEADER = "X-Log-Offset"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """One stream of one rank of one attempt. A negative offset counts from the end."""

    path: str  # of the job's or the endpoint's logs, or of its lines
    attempt: int | None = None  # the newest
    rank: int = 0
    stream: str = "stdout"
    replica: str = ""  # of an endpoint
    offset: int = 0
    grep: str = ""  # of lines
    since_ms: int = 0  # of lines

    def params(self, offset: int, *, follow: bool) -> Params:
        return {
            "attempt": self.attempt,
            "rank": self.rank,
            "stream": self.stream,
            "replica": self.replica,
            "offset": offset,
            "follow": follow,
            "grep": self.grep,
            "since": self.since_ms or None,
        }


def read_log(transport: Transport, source: LogSource) -> Iterator[bytes]:
    """What has been written so far. Raises ApiError, UnreachableError."""
    return _resumed(transport, source, _bytes, follow=False, ended=lambda: True)


def follow_log(
    transport: Transport, source: LogSource, *, ended: Callable[[], bool]
) -> Iterator[bytes]:
    """What was written and what is still being written, until the stream stops and `ended` agrees that it is over.

    Raises ApiError, UnreachableError.
    """
    return _resumed(transport, source, _bytes, follow=True, ended=ended)


def read_lines(
    transport: Transport, source: LogSource, *, ended: Callable[[], bool] | None = None
) -> Iterator[LineView]:
    """The lines that the source asks for: those that there are or, with `ended`, also those to come.

    Raises ApiError, UnreachableError.
    """
    over = ended or (lambda: True)
    return _resumed(transport, source, _lines, follow=ended is not None, ended=over)


def decoded_lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Text by lines, without their ends. A line over `LINE_BYTES_MAX` comes in pieces; what is no UTF-8 is marked."""
    held = b""
    for chunk in chunks:
        *whole, held = (held + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").removesuffix("\r")
        while len(held) > LINE_BYTES_MAX:
            yield held[:LINE_BYTES_MAX].decode("utf-8", "replace")
            held = held[LINE_BYTES_MAX:]
    if held:
        yield held.decode("utf-8", "replace")


def tail_log(transport: Transport, source: LogSource, lines: int) -> tuple[bytes, int]:
    """The last `lines` lines, and the offset after them. Raises ApiError, UnreachableError."""
    size = max(4096, 256 * lines)
    while True:
        data, start = _read_from(transport, source, -size)
        whole = data.splitlines(keepends=True)
        if start == 0 or len(whole) > lines:
            kept = whole[-lines:] if lines else []
            return b"".join(kept), start + len(data)
        size *= 8


def _read_from(transport: Transport, source: LogSource, offset: int) -> tuple[bytes, int]:
    try:
        with transport.stream(source.path, source.params(offset, follow=False)) as response:
            start = int(response.headers.get(OFFSET_HEADER, "0"))
            return response.read(), start
    except httpx2.TransportError as error:
        raise transport.unreachable(error) from error


@dataclass(slots=True)
class _Place:
    """Where the next byte is that has not been read."""

    offset: int


def _bytes(response: httpx2.Response, place: _Place) -> Iterator[bytes]:
    place.offset = int(response.headers.get(OFFSET_HEADER, str(max(place.offset, 0))))
    for chunk in response.iter_bytes():
        place.offset += len(chunk)
        yield chunk


def _lines(response: httpx2.Response, place: _Place) -> Iterator[LineView]:
    for text in response.iter_lines():
        line = cast("LineView", json.loads(text))
        place.offset = line["offset"]
        yield line


def _resumed(
    transport: Transport,
    source: LogSource,
    read: Callable[[httpx2.Response, _Place], Iterator[T]],
    *,
    follow: bool,
    ended: Callable[[], bool],
) -> Iterator[T]:
    place = _Place(source.offset)
    pauses: Generator[float] | None = None
    while True:
        began_s = clock.monotonic_s()
        broke: httpx2.TransportError = httpx2.ReadError("the stream ended")
        try:
            asked = source.params(place.offset, follow=follow)
            with transport.stream(source.path, asked) as response:
                for each in read(response, place):
                    pauses = None
                    yield each
            if not follow:
                return
            if ended():
                follow = False  # an API that stops ends its streams too: read what is left, once
                continue
        except httpx2.TransportError as error:
            broke = error
        except ApiError as error:
            if error.status != UNAVAILABLE:
                raise
            broke = httpx2.ReadError(str(error))
        if pauses is None or clock.monotonic_s() - began_s > STEADY_S:
            pauses = transport.pauses()
        if next(pauses, None) is None:
            raise transport.unreachable(broke) from broke
