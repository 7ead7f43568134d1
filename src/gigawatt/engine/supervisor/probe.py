"""What a rank is doing right now: Python stacks by the fault handler where the program imported our module, of other
Python programs by py-spy where it is installed, else what the kernel shows.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

from gigawatt.engine.supervisor import spy, tree
from gigawatt.engine.supervisor.loop import Loop

STACKS_SIGNAL = 43  # the rank module registers faulthandler on it
WAIT_S_MAX = 2.0
LOOK_AGAIN_S = 0.02
TEXT_BYTES_MAX = 256 << 10
TASKS_MAX = 64  # threads of one process that are shown


def stacks(loop: Loop, pid: int, report: Path, done: Callable[[str], None]) -> None:
    """Call with a text about the rank's process and all below it."""
    pids = tree.descendants([pid])
    path = spy.program()
    strangers = [each for each in pids if not _dumps(each, report) or _is_stopped(each)]

    def seen(spied: dict[int, str]) -> None:
        spied = {each: f"{_stopped_line(each)}{text}" for each, text in spied.items()}
        unseen = [each for each in pids if each not in spied]
        _dumped(loop, unseen, report, lambda parts: done(_joined(pids, {**parts, **spied})))

    if path is None:
        seen({})
    else:
        spy.stacks(loop, path, spy.pythons(strangers), seen)


def _joined(pids: list[int], parts: dict[int, str]) -> str:
    return "\n".join(parts[each] for each in pids)[:TEXT_BYTES_MAX]


def _dumped(
    loop: Loop, pids: list[int], report: Path, done: Callable[[dict[int, str]], None]
) -> None:
    """What each process writes by itself, or the kernel shows of it."""
    dumps = {each: _dump(each, report) for each in pids if _dumps(each, report)}
    before = {each: path.stat().st_size for each, path in dumps.items()}
    tree.send(STACKS_SIGNAL, dumps)
    stopped = [each for each in dumps if _is_stopped(each)]
    tree.send(signal.SIGCONT, stopped)  # to answer our signal, which comes before anything else
    deadline_s = time.monotonic() + WAIT_S_MAX
    sizes = dict(before)

    def look() -> None:
        after = {each: path.stat().st_size for each, path in dumps.items()}
        settled = after == sizes and all(after[each] > before[each] for each in dumps)
        if settled or time.monotonic() > deadline_s:
            tree.send(signal.SIGSTOP, stopped)
            done({each: _describe(each, dumps.get(each), before.get(each, 0)) for each in pids})
            return
        sizes.update(after)
        loop.later(LOOK_AGAIN_S, look)

    look()


def _dump(pid: int, report: Path) -> Path:
    """Where it writes them, by the number that it has for itself."""
    return report / f"stacks-{tree.own_pid(pid)}"


def _dumps(pid: int, report: Path) -> bool:
    """Whether it writes its stacks on our signal; one that does not catch it would be killed by it."""
    if not _dump(pid, report).is_file() or _dump(pid, report).is_symlink():
        return False
    try:
        status = (tree.PROC / str(pid) / "status").read_text()
    except OSError:
        return False
    caught = next(
        (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:")), 0
    )
    return bool(caught >> (STACKS_SIGNAL - 1) & 1)


def _is_stopped(pid: int) -> bool:
    """Whether someone has stopped it, as by SIGSTOP."""
    stat = tree.read_stat(pid)
    return stat is not None and stat.state == "T"


def _stopped_line(pid: int) -> str:
    return f"process {pid} is stopped, as by SIGSTOP\n" if _is_stopped(pid) else ""


def _describe(pid: int, dump: Path | None, offset: int) -> str:
    command = _read(pid, "cmdline").replace("\0", " ").strip() or _read(pid, "comm").strip()
    head = f"{_stopped_line(pid)}process {pid}: {command[:200]}"
    if dump is not None:
        with dump.open("rb") as file:
            file.seek(offset)
            text = file.read(TEXT_BYTES_MAX).decode(errors="replace")
        if text:
            return f"{head}\nPython stacks, written by the program's fault handler:\n{text}"
        return f"{head}\nits fault handler did not answer in {WAIT_S_MAX:g} s\n{_kernel(pid)}"
    return f"{head}\nnot a program that imported gigawatt; what the kernel shows:\n{_kernel(pid)}"


def _kernel(pid: int) -> str:
    """State and wait of every thread; kernel stacks where we may read them."""
    lines: list[str] = []
    try:
        tasks = sorted(int(task.name) for task in (tree.PROC / str(pid) / "task").iterdir())
    except OSError:
        return "it has ended\n"
    for task in tasks[:TASKS_MAX]:
        state = next(
            (
                line.split(maxsplit=1)[1]
                for line in _read(pid, f"task/{task}/status").splitlines()
                if line.startswith("State:")
            ),
            "?",
        )
        name = _read(pid, f"task/{task}/comm").strip()
        wait = _read(pid, f"task/{task}/wchan").strip().strip("0") or "-"
        lines.append(f"  thread {task} {name}: {state}, waits in {wait}")
        lines.extend(f"    {line}" for line in _read(pid, f"task/{task}/stack").splitlines())
    return "\n".join(lines) + "\n"


def _read(pid: int, name: str) -> str:
    try:
        return (tree.PROC / str(pid) / name).read_text(errors="replace")
    except OSError:
        return ""


assert signal.SIGRTMIN <= STACKS_SIGNAL <= signal.SIGRTMAX
