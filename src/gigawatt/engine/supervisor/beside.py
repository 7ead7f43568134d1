"""A command beside a live rank: in its directory and environment, within limits of time and output."""

from __future__ import annotations

import base64
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

from gigawatt.engine.supervisor import tree, workdir
from gigawatt.engine.supervisor.attempt import Attempt
from gigawatt.engine.supervisor.host import Host
from gigawatt.engine.supervisor.process import Output, Program, StartError, Stdio, spawn
from gigawatt.engine.supervisor.rank import Rank
from gigawatt.engine.supervisor.wire import RequestError

SECONDS = 60.0  # unless the request says otherwise
OUTPUT_BYTES_MAX = 1 << 20  # of each stream; what comes after is read and dropped


class Order(NamedTuple):
    command: tuple[str, ...]
    seconds_max: float = SECONDS


class _Capture:
    def __init__(self) -> None:
        self.data = bytearray()
        self.dropped = 0

    def take(self, data: bytes) -> None:
        kept = data[: OUTPUT_BYTES_MAX - len(self.data)]
        self.data += kept
        self.dropped += len(data) - len(kept)


def program_beside(rank: Rank, command: tuple[str, ...]) -> Program:
    """What runs a command in a rank's directory and environment. Raises RequestError (user) where there is no such."""
    like = rank.program
    assert like is not None, "a rank that runs has a program"
    name = command[0] if command else ""
    path = workdir.find_program(name, like.directory, like.environ)
    if path is None:
        raise RequestError("user", f"{name}: command not found")
    return like._replace(path=path, argv=command)


def run(
    host: Host,
    attempt: Attempt,
    rank: Rank,
    order: Order,
    reply: Callable[[dict[str, Any] | RequestError], None],
) -> None:
    """Reply with exit code and output, base64. A negative exit code is a signal's number; `overdue` says that it was
    killed for its time.
    """
    program = program_beside(rank, order.command)
    captures = (_Capture(), _Capture())
    outputs = tuple(Output(host.loop, each.take, lambda: None) for each in captures)
    failures: list[StartError] = []

    def started(error: StartError | None) -> None:
        if error is not None:
            failures.append(error)

    stdio = Stdio(None, outputs[0].write_end, outputs[1].write_end)
    pid = spawn(host.loop, program, rank.cell, stdio, started)
    for output in outputs:
        output.follow()
    attempt.beside.add(pid)

    late: list[bool] = []

    def overdue() -> None:
        late.append(True)
        tree.send(signal.SIGKILL, tree.descendants([pid]))

    timeout = host.loop.later(order.seconds_max, overdue)

    def ended(code: int) -> None:
        timeout.cancel()
        attempt.beside.discard(pid)
        for output in outputs:
            output.drain()
            output.close()
        if failures:
            reply(RequestError("user", failures[0].detail))
            return
        reply(_answer(code, captures, late=bool(late)))

    host.loop.child(pid, ended)


def _answer(code: int, captures: tuple[_Capture, _Capture], *, late: bool) -> dict[str, Any]:
    stdout, stderr = (base64.b64encode(each.data).decode() for each in captures)
    return {
        "exit_code": code,
        "stdout": stdout,
        "stderr": stderr,
        "dropped_bytes": sum(each.dropped for each in captures),
        "overdue": late,
    }
