"""Checks of this node, as one program that writes a line for each; those that put load on it give way to gangs."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

from gigawatt.engine.supervisor import tree
from gigawatt.engine.supervisor.host import Host
from gigawatt.engine.supervisor.process import Output, Program, StartError, Stdio, spawn
from gigawatt.engine.supervisor.wire import Message, RequestError

SECONDS_MAX = 900.0
SAID_BYTES_MAX = 1 << 20
PACKAGES = Path(__file__).resolve().parents[3]  # where gigawatt is
PROGRAM = (
    "import sys; sys.path.insert(0, {path!r}); "
    "from gigawatt.engine.checks.__main__ import main; sys.exit(main(sys.argv[1:]))"
)
GIVES_WAY = frozenset({"quick", "full"})
ENVIRON = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}

Reply = Callable[["dict[str, Any] | RequestError"], None]


class _Run(NamedTuple):
    pid: int
    level: str


class Checks:
    """One set of checks runs at a time."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._run: _Run | None = None

    def run(self, message: Message, reply: Reply) -> None:
        """Reply with what each check said, as far as they came. Raises RequestError, OSError."""
        if self._run is not None:
            raise RequestError("machine", f"checks run already: {self._run.level}")
        level = str(message["level"])
        program = self._program(level, str(message["scripts"]))
        said = bytearray()
        failures: list[StartError] = []

        def take(data: bytes) -> None:
            said.extend(data[: SAID_BYTES_MAX - len(said)])

        def started(error: StartError | None) -> None:
            if error is not None:
                failures.append(error)

        outputs = (
            Output(self._host.loop, take, _nothing),
            Output(self._host.loop, lambda _: None, _nothing),
        )
        stdio = Stdio(None, outputs[0].write_end, outputs[1].write_end)
        pid = spawn(self._host.loop, program, None, stdio, started)
        for output in outputs:
            output.follow()
        self._run = _Run(pid, level)
        timeout = self._host.loop.later(SECONDS_MAX, self.stop)

        def ended(_code: int) -> None:
            timeout.cancel()
            self._run = None
            for output in outputs:
                output.drain()
                output.close()
            if failures:
                reply(RequestError("machine", failures[0].detail))
            else:
                reply({"results": _parsed(bytes(said))})

        self._host.loop.child(pid, ended)

    def give_way(self) -> None:
        """A gang comes: load of ours goes. What has been found by then is told."""
        if self._run is not None and self._run.level in GIVES_WAY:
            self.stop()

    def stop(self) -> None:
        if self._run is not None:
            tree.send(signal.SIGKILL, tree.descendants([self._run.pid]))

    def _program(self, level: str, scripts: str) -> Program:
        layout = self._host.layout
        options = ("--level", level, "--dir", str(layout.root), "--scripts", scripts)
        state = ("--state", str(layout.root / "checks.json"))
        source = PROGRAM.format(path=str(PACKAGES))
        argv = (sys.executable, "-I", "-S", "-c", source, *options, *state)
        environ = {**ENVIRON, "GIGAWATT_NODE": self._host.node}
        return Program(sys.executable, argv, environ, str(layout.root))


def _parsed(said: bytes) -> list[dict[str, Any]]:
    """Whole lines; the last may have been cut short."""
    found: list[dict[str, Any]] = []
    for line in said.split(b"\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            found.append(cast("dict[str, Any]", entry))
    return found


def _nothing() -> None:
    """The pipe has ended; its process's end is what counts."""
