"""Talking to what runs on another machine: a connection that it lives by, and one more for each open file of it.

As on one machine, but for what stands in the place of a file: a connection through which a child of the supervisor copies.
"""

import asyncio
import contextlib
import hmac
import socket
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gigawatt.clock import entropy
from gigawatt.engine.base import UnknownAttemptError
from gigawatt.engine.local.talks import (
    ANSWER_S,
    Line,
    LocalAttachment,
    LocalCommand,
    raise_unless_unknown,
    stream_of,
)
from gigawatt.engine.supervisor.job import ENGINE, NONCE_BYTES, SUPERVISOR, proof
from gigawatt.engine.talk import Attachment, ByteStream, Command, WindowSize
from gigawatt.model.launch import AttemptKey
from gigawatt.model.refusal import RefusalCode, RefusalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a supervisor is reached, and what proves to it who we are."""

    node: str
    host: str
    port: int
    token: str


class FarTalks:
    """What engines have in common whose supervisors are on other machines: talking to ranks."""

    async def run(
        self, key: AttemptKey, rank: int, command: tuple[str, ...], *, window: WindowSize | None
    ) -> Command:
        """The supervisor ends it with our connection."""
        size = window and [window.rows, window.columns]
        more = {"command": command, "size": size, "term": window.term if window else ""}
        line, given = await self._talk("run", key, rank, more)
        return FarCommand(line, given, terminal=window is not None)

    async def attach(self, key: AttemptKey, rank: int) -> Attachment:
        line, given = await self._talk("attach", key, rank, {})
        return FarAttachment(line, given)

    async def connect(self, key: AttemptKey, rank: int, port: int) -> ByteStream:
        line, given = await self._talk("connect", key, rank, {"port": port})
        await line.close()
        return await stream_of(given)

    @abstractmethod
    async def _places(self, key: AttemptKey) -> Iterable[Place]:
        """Of the supervisors of an attempt."""
        ...

    async def _talk(
        self, verb: str, key: AttemptKey, rank: int, more: dict[str, Any]
    ) -> "tuple[FarLine, list[int]]":
        message = {"verb": verb, "key": str(key), "rank": rank, **more}
        return await open_far_line(await self._places(key), message)


class FarLine(Line):
    """Has a window's size told, where the terminal itself is not at hand."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._told: asyncio.Future[None] | None = None

    async def resize(self, window: WindowSize) -> None:
        """Returns when the terminal has it, so that what is typed next finds it."""
        self._told = asyncio.get_running_loop().create_future()
        await self.tell(id=2, size=[window.rows, window.columns])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await self._told

    def _take(self, message: dict[str, Any]) -> None:
        if "event" not in message and self._told is not None and not self._told.done():
            self._told.set_result(None)
        super()._take(message)


class FarCommand(LocalCommand):
    def __init__(self, line: FarLine, given: list[int], *, terminal: bool) -> None:
        super().__init__(line, given, terminal=terminal)
        self._far = line

    async def resize(self, window: WindowSize) -> None:
        if self._terminal:
            await self._far.resize(window)


class FarAttachment(LocalAttachment):
    def __init__(self, line: FarLine, given: list[int]) -> None:
        super().__init__(line, given)
        self._far = line
        line.follow()

    async def resize(self, window: WindowSize) -> None:
        if self._terminal:
            await self._far.resize(window)


async def open_far_line(
    places: Iterable[Place], message: dict[str, Any]
) -> tuple[FarLine, list[int]]:
    """Ask the nodes in turn until one has the rank; with a connection for each open file, in their order.

    Raises UnknownAttemptError, RefusalError.
    """
    silent: list[str] = []
    for place in places:
        line: FarLine | None = None
        try:
            line = await _proven(place)
            answer, _ = await line.ask(message)
            if "error" not in answer:
                return line, await _files(place, answer["ok"].get("tickets", []))
        except (OSError, TimeoutError, ValueError, KeyError):
            await _closed(line)
            silent.append(place.node)
            continue
        except BaseException:
            await _closed(line)
            raise
        await line.close()
        raise_unless_unknown(answer["error"])
    if silent:
        raise RefusalError(RefusalCode.UNAVAILABLE, f"node {silent[0]} does not answer")
    raise UnknownAttemptError(f"{message['key']} has no such rank running")


async def _files(place: Place, tickets: list[str]) -> list[int]:
    """Raises OSError, TimeoutError; then none stays open."""
    found: list[socket.socket] = []
    try:
        for ticket in tickets:
            line = await _proven(place)
            found.append(line.sock)
            await _granted(line, {"verb": "take", "ticket": ticket})
            await asyncio.get_running_loop().sock_sendall(line.sock, b"\n")
    except BaseException:
        for sock in found:
            sock.close()
        raise
    return [sock.detach() for sock in found]


async def _proven(place: Place) -> FarLine:
    """A connection on which both sides have shown that they know the token. Raises OSError, TimeoutError, KeyError."""
    sock = await _connected(place.host, place.port)
    line = FarLine(sock)
    try:
        await _prove(line, place.token)
    except BaseException:
        sock.close()
        raise
    return line


async def _prove(line: FarLine, token: str) -> None:
    ours = entropy(NONCE_BYTES).hex()
    answer = await _granted(line, {"verb": "greet", "nonce": ours})
    theirs = str(answer["nonce"])
    if not hmac.compare_digest(str(answer["mac"]), proof(token, SUPERVISOR, ours, theirs)):
        raise ConnectionRefusedError("it is not our supervisor")
    await _granted(line, {"verb": "prove", "mac": proof(token, ENGINE, theirs, ours)})


async def _granted(line: FarLine, message: dict[str, Any]) -> dict[str, Any]:
    """Raises OSError for a refusal too."""
    answer, _ = await line.ask(message)
    if "error" in answer:
        raise ConnectionRefusedError(answer["error"]["detail"])
    return answer["ok"]


async def _connected(host: str, port: int) -> socket.socket:
    """Raises OSError, TimeoutError."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        async with asyncio.timeout(ANSWER_S):
            await loop.sock_connect(sock, (host, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def _closed(line: FarLine | None) -> None:
    if line is not None:
        await line.close()
