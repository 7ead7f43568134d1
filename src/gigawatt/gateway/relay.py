"""A replica's reply on its way to the client.

Streams of events and large replies are passed on as they come; others are held until they are complete, so that a
replica that dies in the middle can still be replaced, and an error of its own making be put in OpenAI's shape.
"""

import json
from enum import StrEnum
from typing import cast

from gigawatt.gateway import head
from gigawatt.gateway.client import ClientConnection
from gigawatt.gateway.errors import INVALID_REQUEST, SERVER, ErrorReply
from gigawatt.gateway.limits import Limits
from gigawatt.gateway.replica import ReplyHead
from gigawatt.gateway.usage import TAIL_BYTES, Usage, UsageFilter, usage_of_body

EXCERPT_CHARS = 500  # of a replica's own error text
ERROR_FROM = 400
KEPT_LINES = (head.OWN_PREFIX, b"retry-after:", b"x-ratelimit-")
END_MARK = b"[DONE]"
END_MARK_WITHIN_BYTES = 64  # of the end of a stream


class Mode(StrEnum):
    HELD = "held"
    EVENTS = "events"
    BYTES = "bytes"


class Relay:
    __slots__ = (
        "_client",
        "_filter",
        "_head",
        "_held",
        "_held_bytes",
        "_limits",
        "_lines",
        "_mode",
        "_rest",
        "_tail",
    )

    def __init__(
        self, client: ClientConnection, reply: ReplyHead, own: list[bytes], limits: Limits
    ) -> None:
        """`own` are header lines of the gateway's."""
        self._client = client
        self._limits = limits
        self._head = reply
        self._lines = [*head.passing(reply.headers, head.NOT_TO_CLIENT), *own]
        self._mode = Mode.HELD
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._tail = b""  # what came last, where usage or the end mark is looked for
        self._rest = b""  # of a stream: what was held back until its end
        self._filter: UsageFilter | None = None

    def open(self, *, strip_usage: bool) -> None:
        """Begin at once if it is a stream of events."""
        fields = dict(self._head.headers)
        if fields.get(b"content-type", b"").startswith(b"text/event-stream"):
            self._mode = Mode.EVENTS
            self._filter = UsageFilter(
                strip=strip_usage and b"content-encoding" not in fields,
                event_bytes_max=self._limits.event_bytes,
            )
            self._client.begin(self._head.status, self._lines, None)

    def body(self, data: bytes) -> None:
        if self._filter is not None:
            if self._head.to_close:
                self._tail = (self._tail + data)[-END_MARK_WITHIN_BYTES:]
            self._client.send(self._filter.feed(data))
        elif self._mode is Mode.BYTES:
            self._tail = (self._tail + data)[-TAIL_BYTES:]
            self._client.send(data)
        else:
            self._held.append(data)
            self._held_bytes += len(data)
            if self._held_bytes > self._limits.held_reply_bytes:
                self._let_go()

    def final_usage(self) -> Usage | None:
        """The usage that a reply which is complete has stated; `end` follows."""
        if self._filter is not None:
            self._rest = self._filter.finish()
            return self._filter.usage
        if self._mode is Mode.HELD:
            self._tail = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        return usage_of_body(self._tail)

    def end(self) -> None:
        """Let the client have what is left of the reply."""
        if self._mode is not Mode.HELD:
            self._client.send(self._rest)
            self._client.end()
        elif self._head.status >= ERROR_FROM and not _is_openai_error(self._tail):
            self._client.reply_error(_wrapped(self._head.status, self._tail), self._own_lines())
        else:
            self._client.reply(self._head.status, self._lines, self._tail)

    def died(self, error: ErrorReply) -> None:
        """The rest of a reply that has begun will not come: say so in a stream, break off anything else."""
        if self._filter is None:
            self._client.cut()
            return
        self._client.close_after()
        gap = b"" if self._filter.between_events else b"\n\n"
        self._client.send(gap + error.event())
        self._client.end()

    @property
    def cut_short(self) -> bool:
        """The connection has closed, which would be how the reply ends, but it is plainly not all there."""
        if not self._head.to_close:
            return False
        if self._mode is Mode.EVENTS:
            return END_MARK not in self._tail
        is_json = b"json" in dict(self._head.headers).get(b"content-type", b"")
        return self._mode is Mode.HELD and is_json and _parsed(b"".join(self._held)) is None

    @property
    def usage(self) -> Usage | None:
        """What a stream has stated so far."""
        return self._filter.usage if self._filter is not None else None

    @property
    def status(self) -> int:
        return self._head.status

    def _let_go(self) -> None:
        data = b"".join(self._held)
        self._held.clear()
        self._mode = Mode.BYTES
        self._tail = data[-TAIL_BYTES:]
        self._client.begin(self._head.status, self._lines, None)
        self._client.send(data)

    def _own_lines(self) -> list[bytes]:
        return [line for line in self._lines if line.startswith(KEPT_LINES)]


def _is_openai_error(body: bytes) -> bool:
    reply = _parsed(body)
    return reply is not None and isinstance(reply.get("error"), dict)


def _parsed(body: bytes) -> dict[str, object] | None:
    try:
        reply: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object]", reply) if isinstance(reply, dict) else None


def _wrapped(status: int, body: bytes) -> ErrorReply:
    text = body[: EXCERPT_CHARS * 4].decode(errors="replace")[:EXCERPT_CHARS].strip()
    said = f": {text}" if text else "."
    return ErrorReply(
        status=status,
        code="upstream_error",
        message=f"The model's server answered {status}{said}",
        type=SERVER if status >= 500 else INVALID_REQUEST,
    )
