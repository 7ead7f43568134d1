"""Lines of JSON over a local socket: requests in, replies and events out."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from gigawatt.engine.supervisor.loop import READ, WRITE, Loop

Message = dict[str, Any]

PROTOCOL = 1  # goes up with every change that an older peer would not understand
LINE_BYTES_MAX = 16 << 20
UNSENT_BYTES_MAX = (
    8 << 20
)  # a control plane that does not read is let go; it asks for everything again
BACKLOG = 256  # connections that wait to be accepted
PATH_BYTES_MAX = 100  # of a socket; the kernel's own limit is 108


class RequestError(Exception):
    """A refused request: `code` for programs, the text for people."""

    def __init__(self, code: str, detail: str, **facts: object) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.facts = facts


class Channels(Protocol):
    """Where open files are fetched that cannot be given away over a connection."""

    def keep(self, fd: int, *, written: bool = False) -> str:
        """A ticket for it; `written`, only for writing."""
        ...


class Connection:
    """One client. `on_message` gets each parsed line; `on_close` is called once."""

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        *,
        on_message: Callable[[Connection, Message], None],
        on_close: Callable[[Connection], None],
        channels: Channels | None = None,
    ) -> None:
        self._channels = channels
        self._loop = loop
        self._sock = sock
        self._on_message = on_message
        self._on_close = on_close
        self._unread = bytearray()
        self._unsent = bytearray()
        self.closed = False
        sock.settimeout(0)
        loop.watch(sock.fileno(), READ, self._ready)

    def send(self, message: Message) -> None:
        if self.closed:
            return
        self._unsent += json.dumps(message, separators=(",", ":")).encode() + b"\n"
        self._flush()
        if len(self._unsent) > UNSENT_BYTES_MAX:
            self.close()

    def send_with(self, message: Message, descriptors: list[int], *, written: bool = False) -> None:
        """Also give the peer these open files, which it only writes to if `written`. Nothing may be waiting to be sent
        before it.
        """
        assert not self._unsent
        if self.closed:
            return
        if self._channels is not None:
            tickets = [self._channels.keep(fd, written=written) for fd in descriptors]
            self.send({**message, "ok": {**message["ok"], "tickets": tickets}})
            return
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            sent = socket.send_fds(self._sock, [line], descriptors)
        except OSError:
            self.close()
            return
        self._unsent += line[sent:]
        self._flush()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._loop.unwatch(self._sock.fileno())
            self._sock.close()
            self._on_close(self)

    def detach(self) -> socket.socket:
        """The socket itself: nothing of it is ours any more. What was sent has to be on its way."""
        assert not self._unsent
        self.closed = True
        self._loop.unwatch(self._sock.fileno())
        self._on_close(self)
        return self._sock

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if events & READ and not self.closed:
            self._receive()

    def _receive(self) -> None:
        try:
            data = self._sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._unread += data
        *lines, rest = self._unread.split(b"\n")
        self._unread = bytearray(rest)
        for line in lines:
            self._take(bytes(line))
        if len(self._unread) > LINE_BYTES_MAX:
            self.close()

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            self.close()
            return
        if isinstance(message, dict) and not self.closed:
            self._on_message(self, cast("Message", message))

    def _flush(self) -> None:
        try:
            while self._unsent:
                sent = self._sock.send(self._unsent)
                del self._unsent[:sent]
        except BlockingIOError:
            self._loop.watch(self._sock.fileno(), READ | WRITE, self._ready)
            return
        except OSError:
            self.close()
            return
        self._loop.watch(self._sock.fileno(), READ, self._ready)


def listen(path: str) -> socket.socket:
    """A listening socket at `path`, for our own user alone. Whoever calls holds the node's lock."""
    assert len(path.encode()) <= PATH_BYTES_MAX
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    Path(path).unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        sock.bind(path)
    finally:
        os.umask(before)
    sock.listen(BACKLOG)
    sock.settimeout(0)
    return sock


def peer_uid(sock: socket.socket) -> int:
    """Who is on the other end, as the kernel knows it."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)
