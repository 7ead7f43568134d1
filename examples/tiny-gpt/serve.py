"""Serve a model that train.py made, as OpenAI's completions and chat completions: the standard library and PyTorch.

Reads PORT and GIGAWATT_MODEL_PATH, as gigawatt sets them for a replica; outside it,
`PORT=8000 GIGAWATT_MODEL_PATH=checkpoints/final python serve.py`. One network is shared by all requests, each in a
thread of its own.
"""

import codecs
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import tokenizer
import torch
from gpt import GPT, Config

BODY_BYTES_MAX = 1 << 20
MAX_TOKENS = 1024  # that one request may ask for
STOPS_MAX = 4

Json = dict[str, Any]


class BadRequestError(Exception):
    """What the client sent cannot be served; `param` says which part of it."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request, checked."""

    prompt: str
    max_tokens: int
    temperature: float
    frequency_penalty: float
    seed: int | None
    stops: tuple[str, ...]
    stream: bool
    include_usage: bool


class Generation:
    """The text that follows a prompt, in pieces; afterwards what it cost and why it ended."""

    def __init__(self, model: GPT, tokens: tokenizer.Tokenizer, ask: Ask) -> None:
        self._model, self._tokens, self._ask = model, tokens, ask
        self._ids = tokens.encode(tokenizer.BETWEEN_FILES + ask.prompt.encode())
        self._penalties = torch.zeros(tokens.size)
        self.prompt_tokens = len(self._ids)
        self.completion_tokens = 0
        self.finish_reason = "length"

    def pieces(self) -> Iterator[str]:
        """Text as soon as it is certain: what may be the beginning of a stop string is held back."""
        held = ""
        hold = max((len(stop) for stop in self._ask.stops), default=1) - 1
        for text in self._decoded():
            held += text
            ends = [at for stop in self._ask.stops if (at := held.find(stop)) >= 0]
            if ends:
                self.finish_reason = "stop"
                held = held[: min(ends)]
                break
            certain = len(held) - hold
            if certain > 0:
                yield held[:certain]
                held = held[certain:]
        if held:
            yield held

    def usage(self) -> Json:
        """OpenAI's counts."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }

    def _decoded(self) -> Iterator[str]:
        chance = torch.Generator()
        if self._ask.seed is None:
            chance.seed()
        else:
            chance.manual_seed(self._ask.seed)
        utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for _ in range(self._ask.max_tokens):
            new = self._model.next_token(
                self._ids,
                temperature=self._ask.temperature,
                penalties=self._penalties,
                chance=chance,
            )
            self._penalties[new] += self._ask.frequency_penalty
            self._ids.append(new)
            self.completion_tokens += 1
            yield utf8.decode(self._tokens.decode([new]))
        yield utf8.decode(b"", final=True)


def main() -> None:
    """Load the model, then serve until SIGTERM."""
    directory = Path(os.environ["GIGAWATT_MODEL_PATH"])
    config = json.loads((directory / "config.json").read_text())
    model = GPT(Config(**config))
    model.load_state_dict(torch.load(directory / "weights.pt", weights_only=True))
    model.eval()
    Handler.model, Handler.tokens = model, tokenizer.load(directory / "tokenizer.json")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    address = (os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"]))
    with ThreadingHTTPServer(address, Handler) as server:
        server.daemon_threads = True
        print(f"serving {directory} on {address[0]}:{address[1]}", flush=True)
        server.serve_forever()


class Handler(BaseHTTPRequestHandler):
    """One connection; HTTP/1.1 with keep-alive."""

    protocol_version = "HTTP/1.1"
    model: GPT
    tokens: tokenizer.Tokenizer

    def do_GET(self) -> None:
        """Health and the list of the one model."""
        if self.path == "/health":
            self._answer(200, {"status": "ok"})
        elif self.path == "/v1/models":
            model = {"id": "tiny-gpt", "object": "model", "created": 0, "owned_by": "gigawatt"}
            self._answer(200, {"object": "list", "data": [model]})
        else:
            self._refuse(404, f"there is no {self.path} here")

    def do_POST(self) -> None:
        """A completion, whole or streamed."""
        shape = {"/v1/completions": Completion, "/v1/chat/completions": Chat}.get(self.path)
        if shape is None:
            self.close_connection = True  # its body stays unread
            self._refuse(404, f"there is no {self.path} here")
            return
        try:
            body = self._body()
            ask = parse(body, shape.prompt(body))
        except BadRequestError as error:
            self._refuse(400, str(error), error.param)
            return
        reply = shape(str(body.get("model", "tiny-gpt")))
        generation = Generation(self.model, self.tokens, ask)
        try:
            if ask.stream:
                self._stream(reply, generation, include_usage=ask.include_usage)
            else:
                self._answer(200, reply.whole("".join(generation.pieces()), generation))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client has gone, so nobody reads the rest

    def log_message(self, format: str, *args: object) -> None:
        """One line a request on stdout, but none for the readiness probe."""
        if getattr(self, "path", "") != "/health":
            print(f"{self.client_address[0]} {format % args}", flush=True)

    def _body(self) -> Json:
        size = self.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > BODY_BYTES_MAX:
            self.close_connection = True
            raise BadRequestError(f"a body needs a Content-Length of at most {BODY_BYTES_MAX}")
        try:
            body = json.loads(self.rfile.read(int(size)))
        except ValueError as error:
            raise BadRequestError(f"the body is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise BadRequestError("the body must be a JSON object")
        return body

    def _stream(
        self, reply: "Completion | Chat", generation: Generation, *, include_usage: bool
    ) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in reply.chunks(generation):
            self._event(json.dumps({**chunk, "usage": None} if include_usage else chunk))
        if include_usage:
            self._event(json.dumps({**reply.chunk([]), "usage": generation.usage()}))
        self._event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, data: str) -> None:
        event = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
        self.wfile.flush()

    def _answer(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _refuse(self, status: int, message: str, param: str | None = None) -> None:
        error = {
            "message": message,
            "type": "invalid_request_error",
            "param": param,
            "code": None,
        }
        self._answer(status, {"error": error})


class Completion:
    """The shape of /v1/completions."""

    def __init__(self, model: str) -> None:
        self._head = {"id": f"cmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}

    @staticmethod
    def prompt(body: Json) -> str:
        """The text to go on from."""
        prompt = body.get("prompt", "")
        if isinstance(prompt, list) and len(prompt) == 1:
            prompt = prompt[0]
        if not isinstance(prompt, str):
            raise BadRequestError("must be one string", "prompt")
        return prompt

    def whole(self, text: str, generation: Generation) -> Json:
        """The answer in one piece."""
        choice = {"index": 0, "text": text, "logprobs": None}
        choice["finish_reason"] = generation.finish_reason
        return {**self.chunk([choice]), "usage": generation.usage()}

    def chunk(self, choices: list[Json]) -> Json:
        """One event of a stream."""
        return {**self._head, "object": "text_completion", "choices": choices}

    def chunks(self, generation: Generation) -> Iterator[Json]:
        """Every event, the last with the reason for the end."""
        empty = {"index": 0, "text": "", "logprobs": None, "finish_reason": None}
        for text in generation.pieces():
            yield self.chunk([{**empty, "text": text}])
        yield self.chunk([{**empty, "finish_reason": generation.finish_reason}])


class Chat:
    """The shape of /v1/chat/completions: the model is no chatter, so it goes on from the last message."""

    def __init__(self, model: str) -> None:
        self._head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": model,
        }

    @staticmethod
    def prompt(body: Json) -> str:
        """The content of the last message; of a list of parts, their text."""
        try:
            content = body["messages"][-1]["content"]
            if isinstance(content, list):
                content = "".join(part["text"] for part in content)
        except (KeyError, IndexError, TypeError) as error:
            raise BadRequestError("must end in a message with text content", "messages") from error
        if not isinstance(content, str):
            raise BadRequestError("must end in a message with text content", "messages")
        return content

    def whole(self, text: str, generation: Generation) -> Json:
        """The answer in one piece."""
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": None}
        choice["finish_reason"] = generation.finish_reason
        answer = {**self._head, "object": "chat.completion", "choices": [choice]}
        return {**answer, "usage": generation.usage()}

    def chunk(self, choices: list[Json]) -> Json:
        """One event of a stream."""
        return {**self._head, "object": "chat.completion.chunk", "choices": choices}

    def chunks(self, generation: Generation) -> Iterator[Json]:
        """Every event, the first with the role, the last with the reason for the end."""
        empty = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}
        yield self.chunk([{**empty, "delta": {"role": "assistant", "content": ""}}])
        for text in generation.pieces():
            yield self.chunk([{**empty, "delta": {"content": text}}])
        yield self.chunk([{**empty, "finish_reason": generation.finish_reason}])


def parse(body: Json, prompt: str) -> Ask:
    """A request's options, or what is wrong with them."""
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    stops = body.get("stop") or []
    stops = [stops] if isinstance(stops, str) else stops
    if not isinstance(stops, list) or not all(isinstance(s, str) and s for s in stops):
        raise BadRequestError("must be a string or a list of strings", "stop")
    if len(stops) > STOPS_MAX:
        raise BadRequestError(f"may hold at most {STOPS_MAX} strings", "stop")
    if body.get("n") not in {None, 1}:
        raise BadRequestError("only one choice can be made", "n")
    seed = body.get("seed")
    if seed is not None and (not isinstance(seed, int) or abs(seed) >= 1 << 63):
        raise BadRequestError("must be a 64-bit integer", "seed")
    return Ask(
        prompt=prompt,
        max_tokens=int(_number("max_tokens", limit, default=64, low=1, high=MAX_TOKENS)),
        frequency_penalty=_number(
            "frequency_penalty", body.get("frequency_penalty"), default=0, low=-2, high=2
        ),
        temperature=_number("temperature", body.get("temperature"), default=0.7, low=0, high=2),
        seed=seed,
        stops=tuple(stops),
        stream=bool(body.get("stream")),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
    )


def _number(name: str, value: object, *, default: float, low: float, high: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadRequestError(f"must be a number from {low} to {high}", name)
    return value


if __name__ == "__main__":
    main()
