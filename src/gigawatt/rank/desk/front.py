"""What connects to a desk: asked for the token, then given a terminal or passed on to the program.

One request to a connection. Its head is read and its body is not: what follows goes through as it comes, both ways,
no faster than it is taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from typing import NamedTuple

from gigawatt.rank.desk.facts import Facts
from gigawatt.rank.desk.program import Program
from gigawatt.rank.desk.terminal import Terminals, TooManyError
from gigawatt.rank.desk.websocket import WebSocket, handshake

HEAD_BYTES_MAX = 1 << 16
HEAD_S = 30.0
READY = "/-/ready"
TOKEN_HEADER = "x-gigawatt-desk"  # noqa: S105 - the name of a header
TERMINALS = "-/terminals/"  # below the base path
COPY_BYTES = 1 << 16
OURS = frozenset({"connection", "keep-alive", "proxy-connection", TOKEN_HEADER})


class Head(NamedTuple):
    """The first line of a request and its headers."""

    method: str
    target: str
    lines: tuple[tuple[str, str], ...]  # headers as they came

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.lines}


class Front:
    """Serves on the desk's port. `connections` are open now."""

    def __init__(self, facts: Facts, program: Program | None, terminals: Terminals) -> None:
        self._facts = facts
        self._program = program
        self._terminals = terminals
        self._ready = program is None
        self._finishing: asyncio.Future[None] | None = None
        self.connections = 0

    async def serve(self) -> asyncio.AbstractServer:
        """Listen. Raises OSError where the port is taken."""
        return await asyncio.start_server(
            self._connected, list(self._facts.hosts), self._facts.port, limit=HEAD_BYTES_MAX
        )

    def wait_for(self, finishing: asyncio.Future[None] | None) -> None:
        """Be ready only once that is done."""
        self._finishing = finishing

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(_read_head(reader), HEAD_S)
            if head is None:
                await _answer(writer, 400, "this is no HTTP")
            elif head.path == READY:
                await self._tell_ready(writer)
            elif not self._knows(head):
                await _answer(writer, 403, "only the control plane may ask here")
            else:
                await self._counted(head, reader, writer)
        except (TimeoutError, ConnectionError, OSError):
            pass
        finally:
            with contextlib.suppress(ConnectionError, OSError):
                writer.close()

    def _knows(self, head: Head) -> bool:
        given = head.headers().get(TOKEN_HEADER, "")
        return hmac.compare_digest(given.encode(), self._facts.token.encode())

    async def _counted(
        self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        try:
            await self._serve(head, reader, writer)
        finally:
            self.connections -= 1

    async def _serve(
        self, head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        terminals = self._facts.base + TERMINALS
        if head.path.startswith(terminals):
            await self._terminal(head, head.path[len(terminals) :], reader, writer)
        elif self._program is None:
            await _answer(writer, 404, "this workspace is a shell: gw dev shell attaches to it")
        else:
            await _passed_on(self._program, self._facts.base, head, reader, writer)

    async def _terminal(
        self, head: Head, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if not name.isalnum() or "sec-websocket-key" not in head.headers():
            await _answer(writer, 400, "a terminal has a name of letters and digits, by WebSocket")
            return
        writer.write(handshake(head.headers()))
        socket = WebSocket(reader, writer)
        try:
            await self._terminals.attach(name, socket)
        except TooManyError:
            await socket.send_text('{"error": "too many terminals are open"}')
            await socket.close()

    async def _tell_ready(self, writer: asyncio.StreamWriter) -> None:
        finished = self._finishing is None or self._finishing.done()
        if finished and not self._ready and self._program is not None:
            self._ready = await _answers(self._program, self._facts.base)
        if self._ready:
            await _answer(writer, 200, "ready")
        else:
            await _answer(writer, 503, "the program does not answer yet")


async def _read_head(reader: asyncio.StreamReader) -> Head | None:
    """None for what is no request."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    first, *rest = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[1].startswith("/"):
        return None
    parted = [line.partition(":") for line in rest]
    return Head(words[0], words[1], tuple((name, value.strip()) for name, _, value in parted))


async def _answer(writer: asyncio.StreamWriter, status: int, text: str) -> None:
    body = f"{text}\n".encode()
    head = (
        f"HTTP/1.1 {status} .\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()


async def _answers(program: Program, base: str) -> bool:
    try:
        reader, writer = await asyncio.open_unix_connection(str(program.socket))
    except OSError:
        return False
    try:
        path = "/" if program.strips else base
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        return (await reader.readline()).startswith(b"HTTP/")
    except (ConnectionError, OSError):
        return False
    finally:
        writer.close()


async def _passed_on(
    program: Program,
    base: str,
    head: Head,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    try:
        from_program, to_program = await asyncio.open_unix_connection(str(program.socket))
    except OSError:
        await _answer(writer, 502, "the program does not answer")
        return
    try:
        to_program.write(_head_for(program, base, head))
        back = asyncio.ensure_future(_copied(from_program, writer))
        there = asyncio.ensure_future(_copied(reader, to_program))
        # Whoever reads no more is done: the program with its answer, or a client that has left.
        await asyncio.wait([back, there], return_when=asyncio.FIRST_COMPLETED)
        for task in (back, there):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError, OSError):
                await task
    finally:
        to_program.close()


async def _copied(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while True:
        data = await source.read(COPY_BYTES)
        if not data:
            return
        target.write(data)
        await target.drain()


def _head_for(program: Program, base: str, head: Head) -> bytes:
    """The request as the program is to see it: without our token, and the last on its connection."""
    target = head.target
    if program.strips and target.startswith(base):
        target = "/" + target[len(base) :]
    upgrades = "upgrade" in head.headers()
    kept = [(name, value) for name, value in head.lines if name.lower() not in OURS]
    kept.append(("Connection", "Upgrade" if upgrades else "close"))
    lines = [f"{head.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in kept)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
