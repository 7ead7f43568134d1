"""Python stacks through py-spy, where it is installed beside us or on our PATH: of programs that know nothing of us."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

from gigawatt.engine.supervisor import tree
from gigawatt.engine.supervisor.loop import Loop
from gigawatt.engine.supervisor.process import Output, Program, StartError, Stdio, spawn

NAME = "py-spy"
SECONDS_MAX = 10.0
TEXT_BYTES_MAX = 256 << 10
PYTHONS_MAX = 8  # of one rank; the others are seen by other means
ENVIRON = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}


def program() -> str | None:
    """Where it is."""
    import shutil

    beside = Path(sys.executable).with_name(NAME)
    return str(beside) if beside.is_file() else shutil.which(NAME)


def pythons(pids: list[int]) -> list[int]:
    """Those whose program is a Python, the first few."""
    return [pid for pid in pids if _is_python(pid)][:PYTHONS_MAX]


def stacks(loop: Loop, path: str, pids: list[int], done: Callable[[dict[int, str]], None]) -> None:
    """Call with what py-spy says of each process that it can look into."""
    found: dict[int, str] = {}
    waiting = set(pids)

    def answered(pid: int, text: str) -> None:
        waiting.discard(pid)
        if text:
            found[pid] = text
        if not waiting:
            done(found)

    if not pids:
        done(found)
    for pid in pids:
        _ask(loop, path, pid, lambda text, pid=pid: answered(pid, text))


def _ask(loop: Loop, path: str, of: int, done: Callable[[str], None]) -> None:
    said = bytearray()
    failures: list[StartError] = []

    def take(data: bytes) -> None:
        said.extend(data[: TEXT_BYTES_MAX - len(said)])

    def started(error: StartError | None) -> None:
        if error is not None:
            failures.append(error)

    outputs = (Output(loop, take, _nothing), Output(loop, lambda _: None, _nothing))
    argv = (NAME, "dump", "--nonblocking", "--pid", str(of))
    try:
        stdio = Stdio(None, outputs[0].write_end, outputs[1].write_end)
        pid = spawn(loop, Program(path, argv, ENVIRON, "/"), None, stdio, started)
    except OSError:
        for output in outputs:
            output.close()
        loop.later(0, lambda: done(""))
        return
    for output in outputs:
        output.follow()

    def overdue() -> None:
        tree.send(signal.SIGKILL, [pid])

    timeout = loop.later(SECONDS_MAX, overdue)

    def ended(code: int) -> None:
        timeout.cancel()
        for output in outputs:
            output.drain()
            output.close()
        text = said.decode(errors="replace")
        done(text if code == 0 and not failures and "Thread " in text else "")

    loop.child(pid, ended)


def _is_python(pid: int) -> bool:
    try:
        return (tree.PROC / str(pid) / "exe").readlink().name.startswith("python")
    except OSError:
        return False


def _nothing() -> None:
    """The pipe has ended; its process's end is what counts."""
