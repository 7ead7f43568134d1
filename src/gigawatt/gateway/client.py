"""A client's connection: requests taken from it in order, one reply at a time written to it.

HTTP/1.1 with keep-alive and pipelining, HTTP/1.0 by closing. What a request means is the Service's business.
"""

import asyncio
from enum import StrEnum
from typing import Protocol, cast

from gigawatt.gateway import head
from gigawatt.gateway.errors import ErrorReply, timed_out_request
from gigawatt.gateway.intake import Intake, content_expected
from gigawatt.gateway.request import Request
from gigawatt.gateway.wiring import Wiring

NEVER_S = float("inf")
SMALL_BODY_BYTES = (
    64 * 1024
)  # not counted against the memory for bodies; read to its end after a refusal


class Phase(StrEnum):
    IDLE = "idle"  # between requests
    HEAD = "head"  # a request's head is coming
    BODY = "body"  # its body is coming
    ANSWERING = "answering"
    LINGERING = "lingering"  # answered for the last time; what still comes is dropped
    CLOSED = "closed"


NEXT_PHASES: dict[Phase, frozenset[Phase]] = {
    Phase.IDLE: frozenset({Phase.HEAD, Phase.BODY, Phase.ANSWERING, Phase.CLOSED}),
    Phase.HEAD: frozenset({Phase.BODY, Phase.ANSWERING, Phase.CLOSED}),
    Phase.BODY: frozenset({Phase.ANSWERING, Phase.CLOSED}),
    Phase.ANSWERING: frozenset({Phase.IDLE, Phase.LINGERING, Phase.CLOSED}),
    Phase.LINGERING: frozenset({Phase.CLOSED}),
    Phase.CLOSED: frozenset(),
}
READING = frozenset({Phase.IDLE, Phase.HEAD, Phase.BODY})


class Answer(Protocol):
    """A reply that takes its time."""

    def cancel(self) -> None:
        """The client has gone."""
        ...

    def expire(self) -> None:
        """The deadline that it set on the connection has passed."""
        ...

    def pause(self) -> None:
        """The client does not keep up with reading."""
        ...

    def resume(self) -> None: ...

    def turn_away(self, error: ErrorReply) -> None:
        """End it now, with an error."""
        ...


class Service(Protocol):
    """What requests are for."""

    def opened(self, client: "ClientConnection") -> ErrorReply | None:
        """A new connection; an error turns it away."""
        ...

    def closed(self, client: "ClientConnection") -> None: ...

    def admit(self, request: Request) -> ErrorReply | None:
        """Judge a request by its head, before its body is read."""
        ...

    def reserve(self, request: Request) -> ErrorReply | None:
        """Memory for what has come of a large body."""
        ...

    def release(self, request: Request) -> None: ...

    def answer(self, client: "ClientConnection", request: Request) -> Answer | None:
        """Answer a complete request; None if that has been done at once."""
        ...

    def refused(self, request: Request, error: ErrorReply) -> None:
        """A request was answered with an error by its head or form alone."""
        ...


class ClientConnection(asyncio.Protocol):
    __slots__ = (
        "_admitted",
        "_advancing",
        "_answer",
        "_chunked",
        "_intake",
        "_request",
        "_retiring",
        "_service",
        "_transport",
        "_unsent_bytes",
        "_wiring",
        "begun",
        "deadline_s",
        "phase",
        "stalled",
    )

    def __init__(self, service: Service, wiring: Wiring) -> None:
        self.phase = Phase.IDLE
        self.deadline_s = NEVER_S  # on the monotonic clock
        self.begun = False  # the reply's head has been written
        self._service = service
        self._wiring = wiring
        self._intake = Intake(wiring.limits)
        self._transport: asyncio.Transport | None = None
        self._request: Request | None = None  # the one being answered
        self._answer: Answer | None = None
        self._admitted: Request | None = None  # a partial one that has been judged
        self._advancing = False
        self._chunked = False
        self.stalled = False  # it does not keep up with reading
        self._unsent_bytes = 0  # when last looked at, while stalled
        self._retiring = False

    # Replying. Exactly one of: reply; reply_error; begin, any send, then end or cut.

    def reply(self, status: int, lines: list[bytes], body: bytes) -> None:
        """A whole reply at once."""
        request = self._answered()
        body_sent = b"" if request.method == b"HEAD" else body
        self._write(b"".join((*self._head(status, lines, len(body)), body_sent)))
        self.begun = True
        self._finish()

    def reply_error(self, error: ErrorReply, lines: list[bytes] | None = None) -> None:
        own = [self.date_line(), b"content-type: application/json\r\n", *(lines or [])]
        if error.retry_after_s is not None:
            own.append(b"retry-after: %d\r\n" % error.retry_after_s)
        if error.allow:
            own.append(b"allow: %b\r\n" % error.allow.encode())
        self.reply(error.status, own, error.body())

    def begin(self, status: int, lines: list[bytes], length: int | None) -> None:
        """The head of a reply whose body follows; without `length` its end will be marked."""
        self._write(b"".join(self._head(status, lines, length)))
        self.begun = True

    def send(self, data: bytes) -> None:
        if data:
            self._write(head.chunk(data) if self._chunked else data)

    def end(self) -> None:
        if self._chunked:
            self._write(head.LAST_CHUNK)
        self._finish()

    def date_line(self) -> bytes:
        """For replies that are ours; a replica's come with theirs."""
        return b"date: %b\r\n" % head.http_date(self._wiring.wall_ms())

    def give_up(self, error: ErrorReply) -> None:
        """End the connection now; a reply under way ends with `error`."""
        if self._answer is not None and not self.stalled:
            self._retiring = True
            self._answer.turn_away(error)
        else:
            self.cut()

    def cut(self) -> None:
        """Break the connection off, so that the client cannot take what it has for the whole."""
        if self._transport is not None:
            self._transport.abort()

    def retire(self) -> None:
        """Take no further request: close now if idle, else after the reply under way."""
        self._retiring = True
        if self.phase is Phase.IDLE and self._transport is not None:
            self._move(Phase.CLOSED)
            self._transport.close()

    def drop_body(self) -> None:
        """The body of the request is not needed any more."""
        request = self._answered()
        if request.reserved_bytes:
            self._service.release(request)

    def close_after(self) -> None:
        """Close once the reply under way has ended."""
        self._answered().keep_alive = False

    def expire(self) -> None:
        """The deadline has passed."""
        self.deadline_s = NEVER_S
        sending = self.stalled or self.phase is Phase.LINGERING
        if sending and self._reads_slowly():
            self._set_deadline(self._wiring.limits.stall_s)
        elif self.phase is Phase.ANSWERING and self._answer is not None and not self.stalled:
            self._answer.expire()
        elif self.phase in {Phase.HEAD, Phase.BODY} and self._intake.partial is not None:
            self._refuse(self._intake.partial, timed_out_request("The request came too slowly."))
        else:
            self.cut()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._set_deadline(self._wiring.limits.idle_s)
        error = self._service.opened(self)
        if error is not None:
            self._refuse(Request(self._wiring.monotonic_s()), error)

    def data_received(self, data: bytes) -> None:
        if self.phase in {Phase.LINGERING, Phase.CLOSED}:
            return
        self._intake.feed(data, self._wiring.monotonic_s())
        self._advance()

    def pause_writing(self) -> None:
        self.stalled = True
        self._reads_slowly()
        self._set_deadline(self._wiring.limits.stall_s)
        if self._answer is not None:
            self._answer.pause()

    def resume_writing(self) -> None:
        self.stalled = False
        if self._answer is not None:
            self._answer.resume()
        elif self.phase is Phase.IDLE:
            self._set_deadline(self._wiring.limits.idle_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._service.closed(self)
        if self.phase is not Phase.CLOSED:
            self._move(Phase.CLOSED)
        for request in self._intake.drop():
            self._service.release(request)
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.cancel()
        if self._request is not None:
            self._service.release(self._request)
            self._request = None

    # From one request to the next.

    def _advance(self) -> None:
        """Answer what is complete, as long as answers come at once; then see to what is partial."""
        if self._advancing:
            return
        self._advancing = True
        while self.phase in READING and (request := self._intake.take()) is not None:
            self._answer_complete(request)
        self._advancing = False
        if self.phase in READING:
            self._read_on()
        if self._transport is not None and not self._transport.is_closing():
            self._regulate(self._transport)

    def _answer_complete(self, request: Request) -> None:
        error = request.refusal
        if error is None and request is not self._admitted:
            error = self._service.admit(request)
        if error is None and request.body_bytes > SMALL_BODY_BYTES:
            error = self._service.reserve(request)
        if error is not None:
            self._refuse(request, error)
            return
        self._take_up(request)
        request.body = request.parts[0] if len(request.parts) == 1 else b"".join(request.parts)
        request.parts.clear()
        answer = self._service.answer(self, request)
        if self._request is request:
            self._answer = answer

    def _read_on(self) -> None:
        """Nothing is complete: wait for more, unless what has come is enough to refuse it."""
        request, fault = self._intake.partial, self._intake.fault
        if fault is not None:
            self._refuse(request or Request(self._wiring.monotonic_s()), fault)
        elif request is not None and request.head_complete:
            self._read_body(request)
        elif request is not None and self.phase is Phase.IDLE:
            self._move(Phase.HEAD)
            self._set_deadline(self._wiring.limits.head_s)

    def _read_body(self, request: Request) -> None:
        if self.phase is not Phase.BODY:
            self._move(Phase.BODY)
            self._set_deadline(self._wiring.limits.body_s)
        if request is not self._admitted:
            self._admitted = request
            error = request.refusal = request.refusal or self._service.admit(request)
            if error is None and b"expect" in request.fields:
                self._write(head.CONTINUE)
        elif request.body_bytes > SMALL_BODY_BYTES:
            error = request.refusal or self._service.reserve(request)
        else:
            error = request.refusal
        soon_over = 0 <= content_expected(request) <= SMALL_BODY_BYTES
        if error is not None and (not soon_over or b"expect" in request.fields):
            self._refuse(request, error)

    def _regulate(self, transport: asyncio.Transport) -> None:
        """Read no further while requests already wait their turn."""
        if len(self._intake) > 0:
            transport.pause_reading()
        elif not transport.is_reading():
            transport.resume_reading()

    def _refuse(self, request: Request, error: ErrorReply) -> None:
        request.parts.clear()
        if not request.complete:
            request.keep_alive = False
        self._take_up(request)
        self._service.refused(request, error)
        self.reply_error(error)

    def _take_up(self, request: Request) -> None:
        self._move(Phase.ANSWERING)
        self.deadline_s = NEVER_S
        self._request = request
        self._admitted = None
        self.begun = self._chunked = False

    def _finish(self) -> None:
        request = self._answered()
        self._request = self._answer = None
        if request.reserved_bytes:
            self._service.release(request)
        if not request.complete or not request.keep_alive or self._retiring:
            self._linger()
        else:
            self._move(Phase.IDLE)
            self._set_deadline(self._wiring.limits.idle_s)
            self._advance()

    def _linger(self) -> None:
        """Say that nothing more will come, and read on a while: a reset could destroy the reply on its way."""
        self._move(Phase.LINGERING)
        self._set_deadline(self._wiring.limits.linger_s)
        if self._transport is not None and not self._transport.is_closing():
            self._unsent_bytes = self._transport.get_write_buffer_size()
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()  # TLS says so itself, and waits for the other side

    def _head(self, status: int, lines: list[bytes], length: int | None) -> list[bytes]:
        request = self._answered()
        parts = [head.status_line(status), *lines, self._wiring.safe]
        if request.id:
            parts.append(b"x-request-id: %b\r\n" % request.id)
        if status in head.BODILESS:
            pass
        elif length is not None:
            parts.append(b"content-length: %d\r\n" % length)
        elif request.version == "1.1":
            self._chunked = True
            parts.append(b"transfer-encoding: chunked\r\n")
        else:
            request.keep_alive = False
        if not request.keep_alive or self._retiring:
            parts.append(b"connection: close\r\n")
        parts.append(b"\r\n")
        return parts

    def _reads_slowly(self) -> bool:
        """The client has taken something since the last look."""
        before = self._unsent_bytes
        self._unsent_bytes = self._transport.get_write_buffer_size() if self._transport else 0
        return self._unsent_bytes < before

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _answered(self) -> Request:
        assert self._request is not None
        return self._request

    def _set_deadline(self, after_s: float) -> None:
        self.deadline_s = self._wiring.monotonic_s() + after_s

    def _move(self, phase: Phase) -> None:
        assert phase in NEXT_PHASES[self.phase], f"{self.phase} -> {phase}"
        self.phase = phase
