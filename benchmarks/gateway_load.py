"""Load on an OpenAI gateway from one process: requests at a concurrency, and streams."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import cast

HOLD_TOKENS = 1_000  # has the backend keep a stream open


def request(port: int, *, key: str, stream: bool = False, hold: bool = False) -> bytes:
    body: dict[str, object] = {
        "model": "m",
        "messages": [{"role": "user", "content": "hello " * 20}],
    }
    if stream:
        body["stream"] = True
    if hold:
        body["max_tokens"] = HOLD_TOKENS
    content = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


@dataclass(slots=True)
class Result:
    seconds: list[float] = field(default_factory=list[float])
    errors: int = 0


class Client(asyncio.Protocol):
    """One connection: sends the request again as long as there are any left."""

    def __init__(self, message: bytes, left: list[int], result: Result) -> None:
        self._message = message
        self._left = left
        self._result = result
        self._data = b""
        self._began_s = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._data[:end].lower()
        at = head.find(b"content-length:")
        if at >= 0:
            length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self._data) < end + 4 + length:
                return
        elif not self._data.endswith(b"0\r\n\r\n"):
            return
        self._result.seconds.append(time.perf_counter() - self._began_s)
        self._result.errors += not head.startswith(b"http/1.1 200")
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._result.errors += 1
            self.done.set_result(None)

    def _send(self) -> None:
        if not self._left[0]:
            self.done.set_result(None)
            self._transport.close()
            return
        self._left[0] -= 1
        self._data = b""
        self._began_s = time.perf_counter()
        self._transport.write(self._message)


class Holder(asyncio.Protocol):
    """A stream that is opened and stays."""

    def __init__(self, message: bytes) -> None:
        self._message = message
        self.began: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._message)

    def data_received(self, data: bytes) -> None:
        if not self.began.done():
            self.began.set_result(data.lower().startswith(b"http/1.1 200"))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.began.done():
            self.began.set_result(False)


async def load(port: int, message: bytes, *, requests: int, concurrency: int) -> Result:
    loop = asyncio.get_running_loop()
    left, result = [requests], Result()
    clients: list[Client] = []
    for _ in range(concurrency):
        _, client = await loop.create_connection(
            lambda: Client(message, left, result), "127.0.0.1", port
        )
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    return result


async def hold(port: int, message: bytes, *, streams: int) -> tuple[list[Holder], int]:
    """The open streams, and how many did not open."""
    loop = asyncio.get_running_loop()
    holders: list[Holder] = []
    for _ in range(streams):
        _, holder = await loop.create_connection(lambda: Holder(message), "127.0.0.1", port)
        holders.append(holder)
        if len(holders) % 50 == 0:
            await holder.began
    began = await asyncio.gather(*(holder.began for holder in holders))
    return holders, began.count(False)
