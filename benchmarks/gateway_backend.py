"""`python benchmarks/gateway_backend.py`: a model's server that does nothing, as cheaply as this language can.

It prints its port. POST answers a small completion, or, asked for a stream, 64 chunks at a pace, or, asked for more
than that by `max_tokens`, one chunk and then nothing for as long as the client stays.
"""

import asyncio
import json
import os
from typing import cast

import uvloop

CHUNKS = 64
PACE_S = 0.005
USAGE = {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "four words of text"}}
WHOLE = json.dumps(
    {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
    | {"choices": [{**CHOICE, "finish_reason": "stop"}], "usage": USAGE}
).encode()
REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(WHOLE),
    WHOLE,
)
MODELS = b'{"object":"list","data":[{"id":"m","object":"model","created":0,"owned_by":"me"}]}'
OTHER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(MODELS),
    MODELS,
)
BEGIN = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _event(fields: dict[str, object]) -> bytes:
    head = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    data = b"data: " + json.dumps({**head, **fields}).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


DELTA = {"index": 0, "delta": {"content": "word "}, "finish_reason": None}
CHUNK = _event({"choices": [DELTA]})
LAST = _event({"choices": [], "usage": USAGE})
END = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Backend(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._data = b""
        self._left = 0

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._data) < end + 4 + length:
                return
            body = self._data[end + 4 : end + 4 + length]
            self._data = self._data[end + 4 + length :]
            self._answer(head, body)

    def connection_lost(self, exc: Exception | None) -> None:
        self._left = 0

    def _answer(self, head: bytes, body: bytes) -> None:
        if not head.startswith(b"post"):
            self._transport.write(OTHER)
        elif b'"stream"' not in body or not json.loads(body)["stream"]:
            self._transport.write(REPLY)
        elif b'"max_tokens"' in body:
            self._transport.write(BEGIN + CHUNK)
        else:
            self._transport.write(BEGIN)
            self._left = CHUNKS
            self._next()

    def _next(self) -> None:
        if self._transport.is_closing():
            return
        if self._left:
            self._left -= 1
            self._transport.write(CHUNK)
            asyncio.get_running_loop().call_later(PACE_S, self._next)
        else:
            self._transport.write(LAST + END)


async def serve() -> None:
    port = int(os.environ.get("PORT", "0"))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Backend, "127.0.0.1", port, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
