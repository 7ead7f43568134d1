"""Talking to a model through the gateway: a conversation whose answers come word by word."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httpx2

from gigawatt.sdk.errors import ApiError, Problem, UnreachableError
from gigawatt.sdk.instance import Address

CONNECT_S = 5.0
SILENCE_S = 600.0  # a model of hundreds of gigabytes may have to be loaded first
MESSAGES_MAX = 200  # that are sent again with each question; older ones are let go of
OK = 200
DATA, COMMENT, DONE = "data:", ":", "[DONE]"

Message = dict[str, str]


def _no_messages() -> list[Message]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some text of the answer, or what the gateway says while the question waits."""

    text: str = ""
    waits: str = ""


@dataclass(slots=True, kw_only=True)
class Conversation:
    """`url` is the gateway's, `/v1` included; `model` is the endpoint's served name."""

    address: Address
    url: str
    model: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])  # temperature, max_tokens
    messages: list[Message] = field(default_factory=_no_messages)

    def ask(self, text: str) -> Iterator[Piece]:
        """The answer in pieces. Closed before its end, what has come of it stays in the conversation.

        Raises ApiError, UnreachableError; the question is then as if it had not been asked.
        """
        self.messages.append({"role": "user", "content": text})
        said: list[str] = []
        try:
            for piece in self._pieces():
                said.append(piece.text)
                yield piece
        except (ApiError, UnreachableError):
            self.messages.pop()
            raise
        except BaseException:
            self._said(said)
            raise
        self._said(said)

    def _said(self, pieces: list[str]) -> None:
        answer = "".join(pieces)
        if answer:
            self.messages.append({"role": "assistant", "content": answer})
        else:
            self.messages.pop()

    def _pieces(self) -> Iterator[Piece]:
        body = {
            **self.options,
            "model": self.model,
            "messages": self.messages[-MESSAGES_MAX:],
            "stream": True,
        }
        headers = {"Authorization": f"Bearer {self.address.token}"}
        timeout = httpx2.Timeout(SILENCE_S, connect=CONNECT_S)
        try:
            with httpx2.stream(
                "POST",
                f"{self.url}/chat/completions",
                json=body,
                headers=headers,
                timeout=timeout,
                trust_env=not self.address.local,
                verify=self.address.trust() if self.url.startswith("https:") else True,
            ) as reply:
                if reply.status_code != OK:
                    reply.read()
                    raise _refused(reply.status_code, reply.text)
                yield from _read(reply.iter_lines())
        except httpx2.HTTPError as error:
            detail = f"the gateway at {self.url} does not answer: {error or type(error).__name__}"
            raise UnreachableError(
                detail, "gw endpoints shows its address, gw up starts it"
            ) from error


def _read(lines: Iterator[str]) -> Iterator[Piece]:
    for line in lines:
        if line.startswith(COMMENT):
            yield Piece(waits=line.removeprefix(COMMENT).strip())
            continue
        text = line.removeprefix(DATA).strip()
        if not line.startswith(DATA) or text == DONE:
            continue
        try:
            event: Any = json.loads(text)
        except ValueError:
            continue
        if not isinstance(event, dict):
            continue
        found = cast("dict[str, Any]", event)
        if "error" in found:
            raise _refused(int(found.get("status") or 502), text)
        choices: list[dict[str, Any]] = found.get("choices") or []
        for choice in choices:
            delta: dict[str, Any] = choice.get("delta") or {}
            if delta.get("content"):
                yield Piece(text=str(delta["content"]))


def _refused(status: int, text: str) -> ApiError:
    """An error in OpenAI's shape as one of ours."""
    try:
        told: Any = json.loads(text)["error"]
        detail, code = str(told["message"]), str(told.get("code") or "")
    except (ValueError, KeyError, TypeError):
        detail, code = text.strip()[:200], ""
    return ApiError(Problem(status=status, code=code, detail=detail))
