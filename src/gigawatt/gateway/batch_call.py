"""One line of a batch, asked of a replica that has a place to spare."""

import asyncio
from dataclasses import dataclass

from gigawatt.gateway import head
from gigawatt.gateway.endpoints import Endpoint
from gigawatt.gateway.replica import Backend, ReplicaConnection, ReplyHead
from gigawatt.gateway.wiring import Wiring

REPLY_BYTES_MAX = 16 * 1024 * 1024
AGAIN_FROM = 500
AGAIN = frozenset({408, 429})


class LostError(Exception):
    """The replica gave no whole answer; another may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    status: int
    body: bytes

    @property
    def for_now(self) -> bool:
        """It may be another answer later."""
        return self.status >= AGAIN_FROM or self.status in AGAIN


async def ask(wiring: Wiring, endpoint: Endpoint, backend: Backend, request: bytes) -> Answered:
    """Raises LostError."""
    endpoint.occupy_spare(backend)
    connection: ReplicaConnection | None = None
    reply = _Reply()
    try:
        async with asyncio.timeout(wiring.limits.first_byte_s):
            connection = backend.lease() or await backend.connect()
            connection.send(reply, request)
            answered = await reply.whole
    except (OSError, TimeoutError, ValueError) as error:
        raise LostError(str(error) or "it did not answer in time") from error
    else:
        connection = None  # it is back among the spare ones
        return answered
    finally:
        if connection is not None:
            connection.abort()
        endpoint.release_spare(backend)


def request_bytes(path: str, backend: Backend, body: bytes, request_id: str) -> bytes:
    """A whole request."""
    headers = [(b"content-type", b"application/json")]
    started = head.request_head(
        path.encode(), headers, host=backend.host, request_id=request_id.encode(), length=len(body)
    )
    return started + body


class _Reply:
    """A ReplySink that waits for all of it."""

    def __init__(self) -> None:
        self.whole: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._status = 0
        self._parts: list[bytes] = []
        self._bytes = 0

    def reply_head(self, reply: ReplyHead) -> None:
        self._status = reply.status

    def reply_body(self, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes > REPLY_BYTES_MAX:
            self._fail(f"its reply is larger than {REPLY_BYTES_MAX} bytes")
        else:
            self._parts.append(data)

    def reply_end(self) -> None:
        if not self.whole.done():
            self.whole.set_result(Answered(status=self._status, body=b"".join(self._parts)))

    def reply_lost(self, kind: str, detail: str) -> None:
        self._fail(detail)

    def _fail(self, detail: str) -> None:
        if not self.whole.done():
            self.whole.set_exception(ConnectionError(detail))
