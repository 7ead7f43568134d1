"""Bytes of a client become requests: HTTP/1.x parsed by httptools, bounded by the limits. No I/O, no clock."""

from collections import deque

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from gigawatt.gateway.errors import ErrorReply, malformed, too_large
from gigawatt.gateway.limits import Limits
from gigawatt.gateway.request import Request

VERSIONS = frozenset({"1.0", "1.1"})


class Intake:
    """Feed it what arrives; take requests from it, in order. After a `fault` nothing more is read."""

    __slots__ = (
        "_begun_bytes",
        "_body_only",
        "_chunk_bytes",
        "_head_bytes",
        "_limits",
        "_now_s",
        "_parser",
        "_ready",
        "fault",
        "partial",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parser = HttpRequestParser(self)
        self._ready: deque[Request] = deque()
        self._head_bytes = 0  # of a partial head, in earlier chunks
        self._begun_bytes = 0  # of the chunk in which it began, some of it perhaps what came before
        self._chunk_bytes = 0
        self._now_s = 0.0
        self._body_only = False  # after an Upgrade that was passed over; see _read_past_upgrade
        self.partial: Request | None = None  # begun, and not complete
        self.fault: ErrorReply | None = None  # why what follows cannot be read

    def __len__(self) -> int:
        """Complete requests that have not been taken."""
        return len(self._ready)

    def feed(self, data: bytes, now_s: float) -> None:
        if self.fault is not None:
            return
        self._now_s = now_s
        self._chunk_bytes = len(data)
        before = self.partial
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            offset: int = upgrade.args[0]
            self._read_past_upgrade(data[offset:])
        except HttpParserError as error:
            self.fault = malformed(f"The request is not valid HTTP/1.1: {error}.")
        if self.partial is before:
            self._bound_head(len(data))

    def take(self) -> Request | None:
        return self._ready.popleft() if self._ready else None

    def drop(self) -> list[Request]:
        """Everything that was read and not taken; nothing more will be."""
        dropped = [*self._ready, *([self.partial] if self.partial else [])]
        self._ready.clear()
        self.partial = None
        self._parser = HttpRequestParser(None)  # the old one and this refer to each other
        return dropped

    # What the parser calls, within feed.

    def on_message_begin(self) -> None:
        if self._body_only:
            return
        if len(self._ready) >= self._limits.pipelined and self.fault is None:
            limit = self._limits.pipelined
            self.fault = malformed(f"More than {limit} requests were sent ahead of their answers.")
        self._head_bytes = 0
        self._begun_bytes = self._chunk_bytes
        self.partial = Request(self._now_s)

    def on_url(self, url: bytes) -> None:
        if self.partial is not None and not self._body_only:
            self.partial.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        request = self.partial
        if request is not None and not request.head_complete:
            request.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        request = self.partial
        if request is None or self._body_only:
            return
        parser = self._parser
        request.method = parser.get_method()
        request.version = parser.get_http_version()
        request.keep_alive = parser.should_keep_alive() and request.version == "1.1"
        request.fields = dict(request.headers)
        request.head_complete = True
        request.refusal = self._judge(request)
        if request.refusal is not None:
            request.keep_alive = False

    def on_body(self, body: bytes) -> None:
        request = self.partial
        if request is None:
            return
        request.body_bytes += len(body)
        if request.body_bytes > self._limits.body_bytes:
            request.refusal = request.refusal or self._body_too_large()
            request.parts.clear()
        elif request.refusal is None:
            request.parts.append(body)

    def on_message_complete(self) -> None:
        request = self.partial
        if request is None or (not self._body_only and self._parser.should_upgrade()):
            return
        self._body_only = False
        request.complete = True
        self.partial = None
        if self.fault is None:
            self._ready.append(request)

    def _judge(self, request: Request) -> ErrorReply | None:
        limits = self._limits
        if request.version not in VERSIONS:
            return ErrorReply(
                status=505,
                code="http_version",
                message=f"HTTP/{request.version} is not spoken here.",
            )
        if len(request.target) > limits.target_bytes:
            return ErrorReply(
                status=414,
                code="url_too_long",
                message=f"A URL has at most {limits.target_bytes} bytes.",
            )
        if len(request.headers) > limits.headers:
            return _headers_too_large(f"A request has at most {limits.headers} headers.")
        may_be_bytes = self._begun_bytes + self._head_bytes + self._chunk_bytes
        if may_be_bytes > limits.head_bytes:  # so count
            size_bytes = sum(len(name) + len(value) for name, value in request.headers)
            if size_bytes > limits.head_bytes:
                return self._head_too_large()
        if request.version == "1.1" and b"host" not in request.fields:
            return malformed("The request has no Host header.")
        if _stated_length(request) > limits.body_bytes:
            return self._body_too_large()
        return None

    def _bound_head(self, received: int) -> None:
        request = self.partial
        if request is None or request.head_complete or self.fault is not None:
            return
        self._head_bytes += received
        if self._head_bytes > self._limits.head_bytes:
            self.fault = self._head_too_large()

    def _head_too_large(self) -> ErrorReply:
        return _headers_too_large(
            f"The head of a request has at most {self._limits.head_bytes} bytes."
        )

    def _body_too_large(self) -> ErrorReply:
        return too_large(f"The body is larger than {self._limits.body_bytes} bytes.")

    def _read_past_upgrade(self, rest: bytes) -> None:
        """A client may offer another protocol (Java's offers h2c with every request): we stay with this one.

        The parser stops at the head of such a request, so the body is read by a new one that is told its framing.
        """
        request = self.partial
        if request is None or request.method == b"CONNECT":
            self._complete_without_body()
            return
        framing = (
            b"transfer-encoding" if b"transfer-encoding" in request.fields else b"content-length"
        )
        value = request.fields.get(framing, b"0")
        self._body_only = True
        self._parser = HttpRequestParser(self)
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b: %b\r\n\r\n" % (framing, value))
        if rest:
            self.feed(rest, self._now_s)

    def _complete_without_body(self) -> None:
        request, self.partial = self.partial, None
        if request is not None:
            request.keep_alive = False
            request.complete = True
            self._ready.append(request)


def content_expected(request: Request) -> int:
    """Bytes of body still to come; -1 where the client has not said."""
    if b"transfer-encoding" in request.fields:
        return -1
    return _stated_length(request) - request.body_bytes


def _stated_length(request: Request) -> int:
    stated = request.fields.get(b"content-length", b"0").strip()
    return int(stated) if stated.isdigit() else 0


def _headers_too_large(detail: str) -> ErrorReply:
    return ErrorReply(status=431, code="headers_too_large", message=detail)
