"""Terminals: shells that go on when nobody looks, and tell who comes back what they said last."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gigawatt.rank.desk.websocket import ProtocolError, WebSocket

TERMINALS_MAX = 32
KEPT_BYTES_MAX = 1 << 18  # of what a shell wrote, for who attaches later
READ_BYTES = 1 << 16
SIDE_MAX = 1_000  # columns or rows
# In the child, which leads a session: what is its standard input becomes its controlling terminal.
OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)


class TooManyError(Exception):
    """Every terminal that there may be is open."""


class Terminals:
    """By name. A shell that has ended gives its name back."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._open: dict[str, Terminal] = {}
        self.moved = 0  # messages in either direction, since the start

    async def attach(self, name: str, socket: WebSocket) -> None:
        """Join the terminal of that name, or a new one, until either side ends. Raises TooManyError."""
        terminal = self._open.get(name)
        if terminal is None:
            if len(self._open) >= TERMINALS_MAX:
                raise TooManyError
            terminal = self._open[name] = Terminal(self._directory, self._moves)
            terminal.ended.add_done_callback(lambda _: self._open.pop(name, None))
        await terminal.attach(socket)

    def close(self) -> None:
        """Hang up on every shell, as a closed window would."""
        for terminal in list(self._open.values()):
            terminal.hang_up()

    def _moves(self) -> None:
        self.moved += 1


class Terminal:
    """One shell on a terminal of its own. `ended` gets its exit code."""

    def __init__(self, directory: Path, moves: Callable[[], None]) -> None:
        self._moves = moves
        self._loop = asyncio.get_running_loop()
        self._viewers: set[WebSocket] = set()
        self._said = bytearray()
        self.ended: asyncio.Future[int] = self._loop.create_future()
        self._master, slave = pty.openpty()
        os.set_blocking(self._master, False)
        self._shell = _start(directory, slave)
        os.close(slave)
        self._loop.add_reader(self._master, self._readable)

    async def attach(self, socket: WebSocket) -> None:
        """Messages of bytes are typed, messages of text give the size; what the shell writes comes as bytes."""
        if self._said:
            await socket.send(bytes(self._said))
        self._viewers.add(socket)
        try:
            while not self.ended.done():
                message = await socket.receive()
                if message is None:
                    return
                if message.text:
                    self._resize(message.data)
                else:
                    self._moves()
                    self._type(message.data)
        except ProtocolError:
            return
        finally:
            self._viewers.discard(socket)

    def hang_up(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGHUP)

    def _type(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._master, view) :]
            except BlockingIOError:
                return  # the shell reads nothing: what is typed is lost, as on any terminal
            except OSError:
                return

    def _resize(self, data: bytes) -> None:
        try:
            size: dict[str, Any] = json.loads(data)
            sides = [min(max(int(size[side]), 1), SIDE_MAX) for side in ("rows", "cols")]
        except (ValueError, KeyError, TypeError):
            return
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", *sides, 0, 0))

    def _readable(self) -> None:
        try:
            data = os.read(self._master, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # Linux says EIO once nobody has the other end
        self._loop.remove_reader(self._master)
        task = self._loop.create_task(self._pass_on(data) if data else self._end())
        task.add_done_callback(lambda done: done.exception())

    async def _pass_on(self, data: bytes) -> None:
        """To everyone who looks, as fast as the slowest takes it; then read on."""
        self._moves()
        self._said += data
        del self._said[:-KEPT_BYTES_MAX]
        for viewer in list(self._viewers):
            try:
                await viewer.send(data)
            except (ConnectionError, OSError):
                self._viewers.discard(viewer)
        self._loop.add_reader(self._master, self._readable)

    async def _end(self) -> None:
        os.close(self._master)
        code = await self._loop.run_in_executor(None, self._shell.wait)
        self.ended.set_result(code)
        for viewer in list(self._viewers):
            with contextlib.suppress(ConnectionError, OSError):
                await viewer.send_text(json.dumps({"exit": code}))
                await viewer.close()


def _start(directory: Path, slave: int) -> subprocess.Popen[bytes]:
    shell = os.environ.get("SHELL") or shutil.which("bash") or "/bin/sh"
    return subprocess.Popen(
        [sys.executable, "-c", OWN_TERMINAL, shell],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=directory,
        env={**os.environ, "TERM": "xterm-256color"},
        start_new_session=True,
    )
