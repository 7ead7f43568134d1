"""Open files for whoever talks from another machine: each goes by a ticket to a connection of its own.

A child copies the bytes, both ways as far as the file goes both ways, so that neither ranks nor requests wait for them.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import stat
from typing import NamedTuple

from gigawatt.engine.supervisor.loop import Loop, Timer
from gigawatt.engine.supervisor.process import in_child
from gigawatt.engine.supervisor.wire import Connection, Message, RequestError

TAKEN_WITHIN_S = 10.0
CHUNK_BYTES = 1 << 16
TICKET_BYTES = 16


class Held(NamedTuple):
    fd: int
    written: bool
    timer: Timer


class Relay:
    """Implements `Channels` for connections."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._held: dict[str, Held] = {}

    def keep(self, fd: int, *, written: bool = False) -> str:
        """A ticket for a copy of this file, good for a few seconds; `written`, nothing is read of it. Raises OSError."""
        ticket = os.urandom(TICKET_BYTES).hex()
        timer = self._loop.later(TAKEN_WITHIN_S, lambda: self._drop(ticket))
        self._held[ticket] = Held(os.dup(fd), written, timer)
        return ticket

    def take(self, message: Message, connection: Connection) -> None:
        """From the answer on, and one byte that says that it has come, the connection is the file.

        Raises RequestError, OSError.
        """
        held = self._held.pop(str(message["ticket"]), None)
        if held is None:
            raise RequestError("unknown", "there is no such ticket, or it came too late")
        held.timer.cancel()
        connection.send({"id": message["id"], "ok": {}})
        sock = connection.detach()
        try:
            in_child(
                self._loop,
                lambda: _copy_when_told(sock.fileno(), held.fd, written=held.written),
                lambda _: None,
            )
        finally:
            sock.close()
            os.close(held.fd)

    def _drop(self, ticket: str) -> None:
        os.close(self._held.pop(ticket).fd)


class Way:
    """Bytes from one descriptor to another."""

    def __init__(self, source: int, target: int) -> None:
        self.source = source
        self.target = target
        self.waiting = b""
        self.ended = False

    def move(self) -> None:
        """What can be moved now. Raises OSError when the target takes no more."""
        if not self.waiting and not self.ended:
            try:
                self.waiting = os.read(self.source, CHUNK_BYTES)
                self.ended = not self.waiting
            except BlockingIOError:
                return
            except OSError:  # a terminal that was hung up, a connection that broke
                self.ended = True
        if self.waiting:
            try:
                self.waiting = self.waiting[os.write(self.target, self.waiting) :]
            except BlockingIOError:
                return


def copy_bytes(peer: int, file: int, *, written: bool = False) -> None:
    """Between a connection and an open file, until either is over. In a child, which keeps nothing else open.

    `written`: what the file has to say is another's to read.
    """
    _close_all_but(peer, file)
    mode = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE
    ways: list[Way] = []
    if mode != os.O_RDONLY:
        ways.append(Way(peer, file))
    if mode != os.O_WRONLY and not written:
        ways.append(Way(file, peer))
    for fd in (peer, file):
        os.set_blocking(fd, False)
    try:
        half = stat.S_ISSOCK(os.fstat(file).st_mode)
        _copy(ways, peer, file, half=half, hears=mode == os.O_RDONLY)
    except OSError:
        return  # one of them takes no more: that is the end of it


def _copy_when_told(peer: int, file: int, *, written: bool) -> None:
    """What came right behind the answer would be taken for a part of it."""
    os.set_blocking(peer, True)
    if os.read(peer, 1):
        copy_bytes(peer, file, written=written)


def _copy(ways: list[Way], peer: int, file: int, *, half: bool, hears: bool) -> None:
    """`half`: what the peer has ended may still be answered. `hears`: it says nothing, so its end is that it has gone."""
    while ways:
        _wait(ways, peer, gone=select.POLLERR | (select.POLLRDHUP if hears else 0))
        for way in tuple(ways):
            way.move()
            if not way.ended or way.waiting:
                continue
            ways.remove(way)
            if way.source == file:
                _end(peer)
                return
            if not half:
                return
            _end(file)


def _wait(ways: list[Way], peer: int, *, gone: int) -> None:
    """Until some way can go on. Raises BrokenPipeError where the peer is gone."""
    wanted = {peer: gone}
    for way in ways:
        fd, event = (way.target, select.POLLOUT) if way.waiting else (way.source, select.POLLIN)
        wanted[fd] = wanted.get(fd, 0) | event
    poll = select.poll()
    for fd, events in wanted.items():
        poll.register(fd, events)
    for fd, events in poll.poll():
        if fd == peer and events & gone:
            raise BrokenPipeError


def _end(fd: int) -> None:
    with socket.socket(fileno=os.dup(fd)) as sock:
        sock.shutdown(socket.SHUT_WR)


def _close_all_but(*kept: int) -> None:
    with os.scandir("/proc/self/fd") as entries:
        found = [int(entry.name) for entry in entries]
    for fd in found:
        if fd > 2 and fd not in kept:
            try:
                os.close(fd)
            except OSError:
                continue  # it was the listing itself
