"""A replica as the gateway uses it: its connections, kept alive between requests, and its replies as they arrive."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gigawatt.gateway.config import ReplicaConfig
from gigawatt.gateway.head import BODILESS, Headers
from gigawatt.gateway.subjects import replica_row
from gigawatt.gateway.wiring import Wiring
from gigawatt.routing.outliers import TIMES_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyHead:
    status: int
    headers: Headers
    to_close: (
        bool  # the body ends where the connection does, so nothing tells a whole one from a part
    )


NEVER_S = float("-inf")


class ReplySink(Protocol):
    """Whoever sent the request that a connection is busy with."""

    def reply_head(self, reply: ReplyHead) -> None: ...

    def reply_body(self, data: bytes) -> None: ...

    def reply_end(self) -> None: ...

    def reply_lost(self, kind: str, detail: str) -> None:
        """The reply will not come, or not to its end. `kind` is died or malformed."""
        ...


class Backend:
    """One replica: how busy it is, and its spare connections."""

    __slots__ = (
        "_spare",
        "_wiring",
        "config",
        "failures",
        "host",
        "id",
        "ready",
        "share",
        "shunned_until_s",
        "since_s",
        "slow",
        "times_s",
    )

    def __init__(self, config: ReplicaConfig, wiring: Wiring) -> None:
        self.config = config
        self.id = config.id
        self.ready = False
        self.since_s = NEVER_S  # since when it takes a part that grows; long ago for the first ones
        self.failures = 0  # in a row
        self.slow = 0  # times in a row that it was left alone for being slow
        self.times_s: deque[float] = deque(
            maxlen=TIMES_KEPT
        )  # to the first byte, of its newest requests
        self.share = wiring.shares.of(replica_row(config.id))  # requests that it has now
        self.shunned_until_s = 0.0  # it has failed a request
        self.host = f"{config.host}:{config.port}".encode()
        self._wiring = wiring
        self._spare: list[ReplicaConnection] = []

    @property
    def in_flight(self) -> int:
        return self.share.in_flight

    def lease(self) -> "ReplicaConnection | None":
        """The spare connection used last, if there is a fresh one."""
        oldest_s = self._wiring.monotonic_s() - self._wiring.limits.spare_s
        while self._spare:
            connection = self._spare.pop()
            if connection.open and connection.spare_since_s >= oldest_s:
                connection.reused = True
                return connection
            connection.abort()
        return None

    async def connect(self) -> "ReplicaConnection":
        """A new connection. Raises OSError where the replica refuses or does not answer in time."""
        async with asyncio.timeout(self._wiring.limits.connect_s):
            _, connection = await self._wiring.loop.create_connection(
                lambda: ReplicaConnection(self, self._wiring), self.config.host, self.config.port
            )
        return connection

    def keep(self, connection: "ReplicaConnection") -> None:
        """Take back a connection that can carry another request."""
        if not self.ready or len(self._spare) >= self._wiring.limits.spare_connections:
            connection.abort()
            return
        connection.spare_since_s = self._wiring.monotonic_s()
        self._spare.append(connection)

    def forget(self, connection: "ReplicaConnection") -> None:
        if connection in self._spare:
            self._spare.remove(connection)

    def drop_stale(self, *, keep: bool) -> None:
        """Close spare connections: those that are too old, or all of them unless `keep`."""
        oldest_s = self._wiring.monotonic_s() - self._wiring.limits.spare_s
        stale = [one for one in self._spare if not keep or one.spare_since_s < oldest_s]
        for connection in stale:
            connection.abort()
        self._spare = [one for one in self._spare if one not in stale]


class ReplicaConnection(asyncio.Protocol):
    """One connection to a replica; it carries one request at a time."""

    __slots__ = (
        "_backend",
        "_body",
        "_complete",
        "_head",
        "_head_bytes",
        "_headers",
        "_in_head",
        "_interim",
        "_keep_alive",
        "_parser",
        "_reply_head_bytes_max",
        "_sink",
        "_to_close",
        "_transport",
        "reused",
        "spare_since_s",
    )

    def __init__(self, backend: Backend, wiring: Wiring) -> None:
        self.reused = False  # it has carried a request before this one
        self.spare_since_s = 0.0
        self._backend = backend
        self._reply_head_bytes_max = wiring.limits.reply_head_bytes
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._sink: ReplySink | None = None
        self._headers: Headers = []
        self._head: ReplyHead | None = None  # read, and not passed on yet
        self._head_bytes = 0  # received since the request, while in the head
        self._in_head = False
        self._interim = False  # a 1xx that comes before the reply
        self._body: list[bytes] = []  # read, and not passed on yet
        self._complete = False
        self._keep_alive = False
        self._to_close = False  # the body ends where the connection does

    def send(self, sink: ReplySink, data: bytes) -> None:
        """Send a whole request; its reply goes to `sink`."""
        assert self._sink is None
        assert self._transport is not None
        self._sink = sink
        self._head_bytes = 0
        self._in_head = True
        self._complete = self._to_close = False
        self._transport.write(data)

    def pause(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Hang up at once: nobody wants what else would come."""
        self._sink = None
        if self._transport is not None:
            self._transport.abort()

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._sink is None:
            self.abort()  # one that speaks unasked cannot be trusted with a request
            return
        if self._in_head:
            self._head_bytes += len(data)
        fault = ""
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            fault = "it changed to another protocol unasked"
        except HttpParserError as error:
            fault = f"it sent malformed HTTP ({error})"
        self._pass_on(fault)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._parser = HttpResponseParser(None)  # the old one and this refer to each other
        self._backend.forget(self)
        sink, self._sink = self._sink, None
        if sink is None:
            return
        if self._to_close and exc is None:
            sink.reply_end()
        else:
            sink.reply_lost("died", "it hung up" if exc is None else f"it hung up ({exc})")

    # What the parser calls, within data_received.

    def on_message_begin(self) -> None:
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._interim = 100 <= status < 200
        if self._interim:
            return
        self._keep_alive = self._parser.should_keep_alive()
        names = {name for name, _ in self._headers}
        self._to_close = not (
            b"content-length" in names or b"transfer-encoding" in names or status in BODILESS
        )
        self._head = ReplyHead(status=status, headers=self._headers, to_close=self._to_close)
        self._in_head = False

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._complete = not self._interim

    # Passing on, once the parser is done with what came.

    def _pass_on(self, fault: str) -> None:
        sink = self._sink
        assert sink is not None
        head, self._head = self._head, None
        if head is not None:
            sink.reply_head(head)
        if self._body:
            data = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._body.clear()
            if self._sink is sink:
                sink.reply_body(data)
        if self._sink is not sink:
            return  # it has hung up meanwhile
        if self._complete:
            self._finish(sink, reusable=self._keep_alive and not fault)
        elif fault or self._head_too_large():
            self.abort()
            sink.reply_lost("malformed", fault or "its headers are too large")

    def _head_too_large(self) -> bool:
        return self._in_head and self._head_bytes > self._reply_head_bytes_max

    def _finish(self, sink: ReplySink, *, reusable: bool) -> None:
        self._sink = None
        assert self._transport is not None
        if reusable and self.open and not self._transport.get_write_buffer_size():
            self._backend.keep(self)
        else:
            self._transport.abort()
        sink.reply_end()
