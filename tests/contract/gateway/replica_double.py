"""A replica: a small real server that speaks OpenAI's chat, completions and embeddings, and misbehaves when told to."""

import asyncio
import json
from collections.abc import Awaitable, Callable

from tests.contract.gateway.http_server import HttpServer, Received, Reply

WORDS = ("one", "two", "three", "four")
USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": len(WORDS),
    "total_tokens": 7 + len(WORDS),
    "prompt_tokens_details": {"cached_tokens": 3},
}

Behaviour = Callable[[Received, Reply], Awaitable[None]]


class ReplicaDouble:
    """Answers `WORDS` to everything, streamed where asked, with `USAGE`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.received: list[Received] = []
        self.sent_chunks = 0
        self.abandoned = 0  # requests whose client hung up before the end
        self.behaviour: Behaviour = self.answer
        self.gate = asyncio.Event()  # replies wait for it
        self.gate.set()
        self.word_gate = asyncio.Event()  # so does each word of a stream
        self.word_gate.set()
        self.server = HttpServer(self._serve)

    async def _serve(self, received: Received, reply: Reply) -> None:
        self.received.append(received)
        try:
            await self._while_connected(reply, self.gate)
            await self.behaviour(received, reply)
        except (ConnectionError, asyncio.CancelledError):
            self.abandoned += 1
            raise

    async def answer(self, received: Received, reply: Reply) -> None:
        if received.method == "GET":  # it is well
            await reply.whole(200, b"{}")
            return
        fields = json.loads(received.body)
        if fields.get("stream"):
            await self._stream(received.path, fields, reply)
        else:
            await reply.whole(200, json.dumps(self._whole(received.path, fields)).encode())

    async def die_before_the_first_byte(self, received: Received, reply: Reply) -> None:
        reply.reset()
        raise ConnectionResetError

    async def die_mid_stream(self, received: Received, reply: Reply) -> None:
        await reply.begin("text/event-stream")
        await reply.chunk(event(self._chunk("one", {"model": "m"})))
        self.sent_chunks += 1
        await self.word_gate.wait()
        reply.reset()
        raise ConnectionResetError

    async def end_early_without_a_length(self, received: Received, reply: Reply) -> None:
        await reply.raw(b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        await reply.raw(event(self._chunk("one", {"model": "m"})))
        reply.writer.close()
        raise ConnectionResetError

    async def die_mid_body(self, received: Received, reply: Reply) -> None:
        await reply.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")
        reply.reset()
        raise ConnectionResetError

    async def talk_nonsense(self, received: Received, reply: Reply) -> None:
        await reply.raw(b"SPAM SPAM\r\n\r\n")

    async def fail_plainly(self, received: Received, reply: Reply) -> None:
        await reply.whole(500, b"CUDA out of memory", content_type="text/plain")

    async def refuse_properly(self, received: Received, reply: Reply) -> None:
        error = {"error": {"message": "too long", "type": "t", "param": "messages", "code": "c"}}
        await reply.whole(400, json.dumps(error).encode())

    async def _stream(self, path: str, fields: dict[str, object], reply: Reply) -> None:
        await reply.begin("text/event-stream; charset=utf-8")
        for word in WORDS:
            await self._while_connected(reply, self.word_gate)
            await reply.chunk(event(self._chunk(word, fields, chat="chat" in path)))
            self.sent_chunks += 1
        if fields.get("stream_options") == {"include_usage": True}:
            last = self._chunk("", fields, chat="chat" in path)
            last["choices"], last["usage"] = [], USAGE
            await reply.chunk(event(last))
        await reply.chunk(b"data: [DONE]\n\n")
        await reply.end()

    async def _while_connected(self, reply: Reply, gate: asyncio.Event) -> None:
        """Wait for `gate`, unless the client hangs up first."""
        while not gate.is_set():
            if reply.gone:
                raise ConnectionResetError
            try:
                async with asyncio.timeout(0.01):
                    await gate.wait()
            except TimeoutError:
                continue

    def _chunk(
        self, word: str, fields: dict[str, object], *, chat: bool = True
    ) -> dict[str, object]:
        text = {"delta": {"content": word}} if chat else {"text": word}
        return {
            "id": "x",
            "object": "chat.completion.chunk" if chat else "text_completion",
            "created": 1,
            "model": fields["model"],
            "choices": [{"index": 0, **text, "finish_reason": None, "logprobs": None}],
        }

    def _whole(self, path: str, fields: dict[str, object]) -> dict[str, object]:
        if path.endswith("embeddings"):
            data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
            usage = {"prompt_tokens": 5, "total_tokens": 5}
            return {"object": "list", "data": data, "model": fields["model"], "usage": usage}
        text = " ".join(WORDS)
        chat = "chat" in path
        choice = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        return {
            "id": "x",
            "object": "chat.completion" if chat else "text_completion",
            "created": 1,
            "model": fields["model"],
            "choices": [{"index": 0, **choice, "finish_reason": "stop", "logprobs": None}],
            "usage": USAGE,
        }


def event(chunk: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"
