"""Finding every process of an attempt, and signalling it: by descent, session, control group and marker.

The supervisor is a subreaper: whatever a rank leaves behind is handed down to it and stays its descendant.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

MARKER = "GIGAWATT_ATTEMPT_ID"
NODE_VARIABLE = "GIGAWATT_NODE"

PROC = Path("/proc")
LISTS_CHILDREN = (
    PROC / f"self/task/{os.getpid()}/children"
).exists()  # else we look at every process


class Process(NamedTuple):
    """Pid and start time together name a process for good."""

    pid: int
    started: int  # clock ticks since the machine booted


class Stat(NamedTuple):
    parent: int
    group: int
    session: int
    state: str
    started: int


def read_stat(pid: int) -> Stat | None:
    try:
        text = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return Stat(
        state=fields[0].decode(),
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        started=int(fields[19]),
    )


def own_pid(pid: int) -> int:
    """Its number in the innermost name space that it is in."""
    try:
        text = (PROC / str(pid) / "status").read_text()
    except OSError:
        return pid
    found = next((line for line in text.splitlines() if line.startswith("NSpid:")), "")
    return int(found.split()[-1]) if found else pid


def identify(pid: int) -> Process | None:
    """None for a process that has ended, or is only waited for."""
    stat = read_stat(pid)
    return None if stat is None or stat.state in "ZX" else Process(pid, stat.started)


def children(pid: int) -> list[int]:
    if not LISTS_CHILDREN:
        return [each for each in all_pids() if (stat := read_stat(each)) and stat.parent == pid]
    found: list[int] = []
    try:
        for task in (PROC / str(pid) / "task").iterdir():
            text = (task / "children").read_text()
            found.extend(int(word) for word in text.split())
    except OSError:
        return found  # it has just ended
    return found


def all_pids() -> list[int]:
    return [int(path.name) for path in PROC.iterdir() if path.name.isdigit()]


def descendants(roots: Iterable[int]) -> list[int]:
    """The roots and all below them, each once, parents first."""
    found: dict[int, None] = {}
    queue = list(roots)
    while queue:
        pid = queue.pop(0)
        if pid not in found:
            found[pid] = None
            queue.extend(children(pid))
    return list(found)


def read_environ(pid: int) -> dict[str, str]:
    """What it was started with; empty for one that has ended or is another user's."""
    try:
        data = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (item.partition(b"=") for item in data.split(b"\0") if item)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def marked(pid: int, *, marker: str, node: str) -> bool:
    """Whether it was started by this node for an attempt whose marker starts like this."""
    environ = read_environ(pid)
    return environ.get(MARKER, "").startswith(marker) and environ.get(NODE_VARIABLE) == node


def all_marked(*, marker: str, node: str) -> list[int]:
    """Every process of the machine that bears the marker: for what a dead supervisor left behind."""
    return [
        pid for pid in all_pids() if pid != os.getpid() and marked(pid, marker=marker, node=node)
    ]


def send(number: int, processes: Iterable[int]) -> int:
    """Signal each that still lives; how many there were."""
    sent = 0
    for pid in processes:
        process = identify(pid)
        if process is not None and _send_one(number, process):
            sent += 1
    return sent


def _send_one(number: int, process: Process) -> bool:
    """By descriptor, so that a pid that was given away meanwhile is not hit."""
    try:
        fd = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        if identify(process.pid) != process:
            return False
        signal.pidfd_send_signal(fd, number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(fd)
    return True
