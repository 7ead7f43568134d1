"""Talking to what runs on a node: over a connection of its own to the supervisor, which gives us the open files.

Bytes go from there to here without passing through the supervisor; it keeps what lives by this connection.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gigawatt.engine.base import UnknownAttemptError
from gigawatt.engine.local.descriptors import Descriptor, Nothing, TerminalEnd
from gigawatt.engine.local.files import nodes_dir, socket_of
from gigawatt.engine.talk import Sink, Source, WindowSize
from gigawatt.model.refusal import RefusalCode, RefusalError

ANSWER_S = 10.0
AGAIN_S = 0.01
LINE_BYTES_MAX = 64 << 10
GIVEN_MAX = 3
STREAM_BYTES = 256 << 10

_REFUSED = {
    "user": RefusalCode.INVALID,
    "limit": RefusalCode.LIMIT,
    "refused": RefusalCode.CONFLICT,
    "machine": RefusalCode.UNAVAILABLE,
}


class Line:
    """The connection to a supervisor that something lives by."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._unread = b""
        self._task: asyncio.Task[None] | None = None
        self._exit: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def ask(self, message: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
        """The answer, with the open files that come with it. Raises OSError, TimeoutError."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.sock, json.dumps({"id": 1, **message}).encode() + b"\n")
        given: list[int] = []
        async with asyncio.timeout(ANSWER_S):
            while b"\n" not in self._unread:
                await _readable(self.sock)
                data, more, _, _ = socket.recv_fds(self.sock, LINE_BYTES_MAX, GIVEN_MAX)
                given += more
                self._unread += data
                if not data:
                    raise ConnectionResetError("its supervisor hung up")
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line), given

    def follow(self) -> None:
        """From now on hear of the exit."""
        self._task = asyncio.create_task(self._read())

    async def tell(self, **fields: Any) -> None:
        """Control what runs; once it has ended there is nothing to control."""
        line = json.dumps({"verb": "control", **fields}).encode() + b"\n"
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_sendall(self.sock, line)

    async def exit_code(self) -> int:
        """Raises BrokenPipeError where the connection broke before."""
        return await asyncio.shield(self._exit)

    async def close(self) -> None:
        """Idempotent. The loop lets go of the socket first: its number may be another's a moment later."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._over()
        self.sock.close()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while True:
                *lines, self._unread = self._unread.split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
                data = await loop.sock_recv(self.sock, LINE_BYTES_MAX)
                if not data:
                    break
                self._unread += data
        self._over()

    def _take(self, message: dict[str, Any]) -> None:
        event = message.get("event", {})
        if event.get("kind") == "exited" and not self._exit.done():
            self._exit.set_result(event["exit_code"])

    def _over(self) -> None:
        if not self._exit.done():
            self._exit.set_exception(BrokenPipeError("the connection to its supervisor broke"))
            self._exit.exception()  # nobody may be waiting


class LocalCommand:
    """Implements `Command`."""

    def __init__(self, line: Line, given: list[int], *, terminal: bool) -> None:
        self._line = line
        self._files = [Descriptor(fd) for fd in given]
        self._terminal = terminal
        self.stdin: Sink
        self.stdout: Source
        self.stderr: Source
        if terminal:
            (both,) = self._files
            self.stdin, self.stdout, self.stderr = TerminalEnd(both), both, Nothing()
        else:
            self.stdin, self.stdout, self.stderr = self._files
        line.follow()

    async def resize(self, window: WindowSize) -> None:
        """At once, so that what is typed next finds the new size."""
        if self._terminal:
            self._files[0].resize(window)

    async def signal(self, number: int) -> None:
        await self._line.tell(signal=number)

    async def wait(self) -> int:
        return await self._line.exit_code()

    async def close(self) -> None:
        for file in self._files:
            file.close()
        await self._line.close()


class LocalAttachment:
    """Implements `Attachment`."""

    def __init__(self, line: Line, given: list[int]) -> None:
        self._line = line
        self._files = [Descriptor(fd) for fd in given]
        self._terminal = bool(given)
        self.stdin: Sink | None = TerminalEnd(self._files[0]) if self._files else None

    async def resize(self, window: WindowSize) -> None:
        """At once, so that what is typed next finds the new size."""
        if self._terminal:
            self._files[0].resize(window)

    async def signal(self, number: int) -> None:
        await self._line.tell(signal=number)

    async def close(self) -> None:
        for file in self._files:
            file.close()
        await self._line.close()


class LocalStream:
    """Implements `ByteStream` on a connected socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, limit: int) -> bytes:
        try:
            return await self._reader.read(limit)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except (OSError, RuntimeError) as error:
            raise BrokenPipeError from error

    async def end(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.write_eof()

    async def close(self) -> None:
        self._writer.close()


async def open_line(
    data: Path, nodes: Iterable[str], message: dict[str, Any]
) -> tuple[Line, dict[str, Any], list[int]]:
    """Ask the nodes in turn until one has the rank. Raises UnknownAttemptError, RefusalError."""
    silent: list[str] = []
    for node in nodes:
        try:
            line, answer, given = await _asked(nodes_dir(data) / node, message)
        except (OSError, TimeoutError, ValueError):
            silent.append(node)
            continue
        if "error" not in answer:
            return line, answer["ok"], given
        await line.close()
        raise_unless_unknown(answer["error"])
    if silent:
        raise RefusalError(RefusalCode.UNAVAILABLE, f"node {silent[0]} does not answer")
    raise UnknownAttemptError(f"{message['key']} has no such rank running")


async def stream_of(given: list[int]) -> LocalStream:
    """A connected socket that was given to us."""
    sock = socket.socket(fileno=given[0])
    sock.settimeout(0)
    reader, writer = await asyncio.open_connection(sock=sock, limit=STREAM_BYTES)
    return LocalStream(reader, writer)


def raise_unless_unknown(error: dict[str, Any]) -> None:
    """What a supervisor's refusal means; `unknown` means that another node may have it. Raises RefusalError."""
    code, detail = error["code"], error["detail"]
    if code == "unknown":
        return
    if code == "bad-request":
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            f"the node's supervisor cannot do it: {detail}",
            hint="it may be of an earlier version: gw down and gw up start it anew",
        )
    field = {"user": "command", "refused": "port"}.get(code, "")
    raise RefusalError(_REFUSED.get(code, RefusalCode.UNAVAILABLE), detail, field=field)


async def _asked(node_dir: Path, message: dict[str, Any]) -> tuple[Line, dict[str, Any], list[int]]:
    line = Line(await _connected(node_dir))
    try:
        return line, *await line.ask(message)
    except BaseException:
        await line.close()
        raise


async def _connected(node_dir: Path) -> socket.socket:
    """Raises OSError. A supervisor that many connect to at once has them wait their turn."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + ANSWER_S
    path = socket_of(node_dir)
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(0)
    try:
        while True:
            try:
                sock.connect(path)
            except BlockingIOError:
                if loop.time() > until_s:
                    raise
                await asyncio.sleep(AGAIN_S)
            else:
                return sock
    except BaseException:
        sock.close()
        raise


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sock, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(sock)
