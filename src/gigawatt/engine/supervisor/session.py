"""A command beside a rank that someone talks to: it is given away with its open files, and ends with its connection.

Its input and output, pipes or a terminal, go to whoever asked, so that no byte of them passes through here. What stays
is its life: signals, its exit, and the end of everything that it started.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable
from typing import NamedTuple

from gigawatt.engine.supervisor import terminal, tree
from gigawatt.engine.supervisor.attempt import Attempt
from gigawatt.engine.supervisor.host import Host
from gigawatt.engine.supervisor.loop import Timer
from gigawatt.engine.supervisor.process import Program, StartError, Stdio, leader_of, spawn
from gigawatt.engine.supervisor.rank import Rank
from gigawatt.engine.supervisor.terminal import Size
from gigawatt.engine.supervisor.wire import Connection

MARKER = "GIGAWATT_SESSION"  # by which what a session started is found again
HANG_UP_S = 0.5  # between SIGHUP and SIGKILL
KILL_AGAIN_S = 0.05
PIPE_BYTES = 1 << 20


class Files(NamedTuple):
    """`theirs` are what the process gets, `given` what whoever asked gets; `ours` stays here, for a terminal."""

    theirs: Stdio
    given: tuple[int, ...]
    ours: int | None


class Session:
    """`on_over` is called once, when nothing of it runs any more."""

    def __init__(
        self, host: Host, attempt: Attempt, connection: Connection, on_over: Callable[[], None]
    ) -> None:
        self._host = host
        self._attempt = attempt
        self._connection = connection
        self._on_over = on_over
        self._pid = 0
        self._walled = False
        self._marker = ""
        self._master: int | None = None
        self._code: int | None = None
        self._started = False
        self._ending: Timer | None = None

    def start(
        self, program: Program, rank: Rank, size: Size | None, *, number: int, request: object
    ) -> None:
        """Start it; the answer to `request`, with the open files, is sent once it runs. Raises OSError."""
        files = _pipes() if size is None else _terminal(size)
        self._master = files.ours
        self._marker = f"{os.getpid()}.{number}"
        self._walled = program.room is not None
        marked = program._replace(environ={**program.environ, MARKER: self._marker})

        def started(error: StartError | None) -> None:
            self._start_seen(error, files, request)

        try:
            self._pid = spawn(self._host.loop, marked, rank.cell, files.theirs, started)
        except OSError:
            _close(*files.given)
            raise
        finally:
            _close(*{files.theirs.stdin, files.theirs.stdout, files.theirs.stderr})
        self._attempt.beside.add(self._pid)
        self._host.loop.child(self._pid, self._exited)

    def signal(self, number: int) -> None:
        """To whoever is in the foreground of its terminal; without one, to its process group."""
        if self._code is not None:
            return
        group = terminal.foreground(self._master) if self._master is not None else self._pid
        try:
            os.killpg(group or leader_of(self._pid, walled=self._walled), number)
        except ProcessLookupError:
            return

    def resize(self, size: Size) -> None:
        """Of its terminal, if it has one. Raises OSError."""
        if self._master is not None:
            terminal.resize(self._master, size)

    def hang_up(self) -> None:
        """Whoever talked to it has gone: so goes all of it."""
        tree.send(signal.SIGHUP, self._members())
        self._close_master()
        self._kill_later(HANG_UP_S)

    def _start_seen(self, error: StartError | None, files: Files, request: object) -> None:
        self._started = True
        if error is not None:
            refusal = {"code": "user", "detail": error.detail}
            self._connection.send({"id": request, "error": refusal})
        else:
            self._connection.send_with({"id": request, "ok": {}}, list(files.given))
        _close(*files.given)
        if self._code is not None:
            self._exit_told()

    def _exited(self, code: int) -> None:
        self._attempt.beside.discard(self._pid)
        self._code = code
        if self._started:
            self._exit_told()

    def _exit_told(self) -> None:
        self._connection.send({"event": {"kind": "exited", "exit_code": self._code}})
        self._kill_later(0)

    def _kill_later(self, delay_s: float) -> None:
        if self._ending is not None:
            self._ending.cancel()
        self._ending = self._host.loop.later(delay_s, self._kill)

    def _kill(self) -> None:
        """Until nothing is left of what it started."""
        left = self._members()
        if left:
            tree.send(signal.SIGKILL, left)
            self._kill_later(KILL_AGAIN_S)
        elif self._code is not None:
            self._close_master()
            self._on_over()
        else:
            self._kill_later(KILL_AGAIN_S)  # it has ended, and is about to be waited for

    def _members(self) -> list[int]:
        """What it started: below it, or left behind by it."""
        roots = [self._pid] if self._code is None else []
        roots += [
            pid
            for pid in tree.children(os.getpid())
            if not self._host.loop.knows(pid) and tree.read_environ(pid).get(MARKER) == self._marker
        ]
        return [pid for pid in tree.descendants(roots) if tree.identify(pid)]

    def _close_master(self) -> None:
        if self._master is not None:
            os.close(self._master)
            self._master = None


def _pipes() -> Files:
    stdin, write = _wide_pipe()
    read, stdout = _wide_pipe()
    errors, stderr = os.pipe2(os.O_CLOEXEC)
    return Files(Stdio(stdin, stdout, stderr), (write, read, errors), None)


def _wide_pipe() -> tuple[int, int]:
    """One that holds more than usual, as whatever is copied goes through it in larger parts then."""
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        return read, write  # the user has as many of those as may be
    return read, write


def _terminal(size: Size) -> Files:
    pair = terminal.open_terminal(size)
    theirs = Stdio(pair.theirs, pair.theirs, pair.theirs, terminal=True)
    return Files(theirs, (os.dup(pair.ours),), pair.ours)


def _close(*descriptors: int | None) -> None:
    for fd in descriptors:
        if fd is not None:
            os.close(fd)
