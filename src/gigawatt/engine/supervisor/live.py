"""What someone talks to over a connection of its own: commands beside ranks, ranks themselves, ports on this host.

The first request says which; its answer comes with open files, and whoever asked reads and writes those directly.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from gigawatt.engine.supervisor import beside, terminal
from gigawatt.engine.supervisor.attempt import Attempt
from gigawatt.engine.supervisor.host import Host
from gigawatt.engine.supervisor.loop import WRITE
from gigawatt.engine.supervisor.process import Program
from gigawatt.engine.supervisor.rank import Rank
from gigawatt.engine.supervisor.session import Session
from gigawatt.engine.supervisor.terminal import Size
from gigawatt.engine.supervisor.wire import Connection, Message, RequestError

SESSIONS_MAX = 128  # on one node
COPY = (
    "gigawatt-copy"  # the program that packs and unpacks what is copied: ours, with our own Python
)
COPY_PROGRAM = (
    "import sys; sys.path.insert(0, {path!r}); "
    "from gigawatt.rank.copy import main; sys.exit(main(sys.argv[1:]))"
)
CONNECT_S = 5.0
LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))

Find = Callable[[Message], "tuple[Attempt, Rank]"]


class Attached:
    """Someone talks to a rank itself; it stays when they leave."""

    def __init__(self, rank: Rank) -> None:
        self._rank = rank

    def signal(self, number: int) -> None:
        """To its process group, as from a terminal."""
        if not self._rank.runs:
            return
        try:
            os.killpg(self._rank.leader, number)
        except ProcessLookupError:
            return

    def resize(self, size: Size) -> None:
        """Of its terminal, if it has one. Raises OSError."""
        if self._rank.terminal is not None:
            terminal.resize(self._rank.terminal, size)

    def hang_up(self) -> None:
        """Nothing ends with it."""


class Live:
    def __init__(self, host: Host, find: Find) -> None:
        self._host = host
        self._find = find  # the rank that a message names. Raises RequestError (unknown)
        self._talks: dict[Connection, Session | Attached] = {}
        self._count = 0  # sessions that are not over, with or without a connection
        self._number = 0

    def run(self, message: Message, connection: Connection) -> None:
        """A command beside a rank, with a terminal if a size is given. Raises RequestError, OSError."""
        self._check_free(connection)
        attempt, rank = self._find(message)
        if self._count >= SESSIONS_MAX:
            raise RequestError("limit", f"{self._count} sessions are open on this node already")
        size = _size(message.get("size"))
        program = self._program(rank, tuple(str(word) for word in message["command"]))
        if size is not None:
            program = program._replace(environ={**program.environ, "TERM": str(message["term"])})
        self._number += 1
        session = Session(self._host, attempt, connection, self._over)
        session.start(program, rank, size, number=self._number, request=message["id"])
        self._count += 1
        self._talks[connection] = session

    def attach(self, message: Message, connection: Connection) -> None:
        """The input of a rank that has a terminal; of any rank, a way to signal it. Raises RequestError."""
        self._check_free(connection)
        _, rank = self._find(message)
        self._talks[connection] = Attached(rank)
        given = [] if rank.terminal is None else [rank.terminal]
        answer = {"id": message["id"], "ok": {"terminal": bool(given)}}
        connection.send_with(answer, given, written=True)

    def connect(self, message: Message, connection: Connection) -> None:
        """A connection to a port of this host, where ranks listen. Raises RequestError."""
        self._find(message)
        port = int(message["port"])
        if not 0 < port < 1 << 16:
            raise RequestError("bad-request", f"{port} is no port")
        _Dial(self._host, connection, message["id"], port).try_next()

    def control(self, message: Message, connection: Connection) -> None:
        """A signal, or the size of a window. Raises RequestError, OSError."""
        talk = self._talks.get(connection)
        if talk is None:
            raise RequestError("bad-request", "this connection has no session")
        size = _size(message.get("size"))
        if size is not None:
            talk.resize(size)
            connection.send({"id": message["id"], "ok": {}})
        else:
            talk.signal(int(message["signal"]))

    def disconnected(self, connection: Connection) -> None:
        talk = self._talks.pop(connection, None)
        if talk is not None:
            talk.hang_up()

    def _program(self, rank: Rank, command: tuple[str, ...]) -> Program:
        if command[:1] != (COPY,):
            return beside.program_beside(rank, command)
        like = rank.program
        assert like is not None, "a rank that runs has a program"
        program = COPY_PROGRAM.format(path=str(self._host.layout.python))
        argv = (sys.executable, "-I", "-S", "-c", program, *command[1:])
        return like._replace(path=sys.executable, argv=argv)

    def _over(self) -> None:
        self._count -= 1

    def _check_free(self, connection: Connection) -> None:
        if connection in self._talks:
            raise RequestError("bad-request", "this connection has a session already")


class _Dial:
    """Tries the loopback addresses in turn, without waiting for any."""

    def __init__(self, host: Host, connection: Connection, request: object, port: int) -> None:
        self._loop = host.loop
        self._node = host.node
        self._connection = connection
        self._request = request
        self._port = port
        self._left = list(LOOPBACK)

    def try_next(self) -> None:
        if not self._left:
            detail = f"nothing listens on port {self._port} of node {self._node}"
            refusal = {"code": "refused", "detail": detail}
            self._connection.send({"id": self._request, "error": refusal})
            return
        family, address = self._left.pop(0)
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError:
            self.try_next()  # a machine without IPv6
            return
        sock.settimeout(0)
        number = sock.connect_ex((address, self._port))
        if number not in {0, errno.EINPROGRESS}:
            sock.close()
            self.try_next()
            return
        timer = self._loop.later(CONNECT_S, lambda: ended(0))

        def ended(_events: int) -> None:
            timer.cancel()
            self._loop.unwatch(sock.fileno())
            if _connected(sock):
                self._connection.send_with({"id": self._request, "ok": {}}, [sock.fileno()])
                sock.close()
            else:
                sock.close()
                self.try_next()

        self._loop.watch(sock.fileno(), WRITE, ended)


def _connected(sock: socket.socket) -> bool:
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return False
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def _size(raw: Any) -> Size | None:
    return None if raw is None else Size(int(raw[0]), int(raw[1]))
