"""Server-sent events that survive a broken connection: taken up again where they stopped."""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

import httpx2

from gigawatt import clock
from gigawatt.sdk.errors import ApiError
from gigawatt.sdk.transport import SILENCE_MAX_S, UNAVAILABLE, Params, Transport

STEADY_S = 2.0  # a stream that lasted this long was a good one: patience starts anew after it
TICK_S = 1.0  # how late a deadline may be noticed


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent:
    event: str
    data: str
    id: str


def events(
    transport: Transport,
    path: str,
    params: Callable[[str], Params],
    *,
    until_s: float | None = None,
    wanted: Callable[[], bool] = lambda: True,
) -> Iterator[StreamEvent]:
    """Events without end; `params` gives the query that goes on after the event of the given id ("" at first).

    The caller stops it when it has seen what it came for, or `wanted` does, which is asked at every event and sign of
    life. `until_s` is a time of the monotonic clock.

    Raises:
        TimeoutError: it is later than `until_s`.
        ApiError, UnreachableError.
    """
    last_id = ""
    pauses: Generator[float] | None = None
    while True:
        began_s = clock.monotonic_s()
        broke: httpx2.TransportError = httpx2.ReadError("the stream ended")
        try:
            silence_s = SILENCE_MAX_S if until_s is None else TICK_S
            with transport.stream(path, params(last_id), _headers(last_id), silence_s) as response:
                for event in decoded(_before(until_s, wanted, response.iter_lines())):
                    last_id = event.id or last_id
                    pauses = None
                    yield event
        except httpx2.ReadTimeout:
            if until_s is not None and clock.monotonic_s() < until_s:
                continue
        except httpx2.TransportError as error:
            broke = error
        except ApiError as error:
            if error.status != UNAVAILABLE:
                raise
            broke = httpx2.ReadError(str(error))
        _check_deadline(until_s)
        if not wanted():
            return
        if pauses is None or clock.monotonic_s() - began_s > STEADY_S:
            pauses = transport.pauses()
        _pause(transport, pauses, broke)


def decoded(lines: Iterable[str]) -> Iterator[StreamEvent]:
    """Events of a stream of lines; an event that its blank line does not end is dropped, as the format says."""
    name, last_id = "", ""
    data: list[str] = []
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield StreamEvent(event=name or "message", data="\n".join(data), id=last_id)
            name, data = "", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            last_id = value


def _before(
    until_s: float | None, wanted: Callable[[], bool], lines: Iterable[str]
) -> Iterator[str]:
    for line in lines:
        _check_deadline(until_s)
        if not wanted():
            return
        yield line


def _pause(transport: Transport, pauses: Generator[float], broke: httpx2.TransportError) -> None:
    """Let a moment pass; when patience has ended, give up."""
    if next(pauses, None) is None:
        raise transport.unreachable(broke) from broke


def _check_deadline(until_s: float | None) -> None:
    if until_s is not None and clock.monotonic_s() >= until_s:
        raise TimeoutError("the deadline has passed")


def _headers(last_id: str) -> dict[str, str]:
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    return {**headers, "Last-Event-ID": last_id} if last_id else headers
