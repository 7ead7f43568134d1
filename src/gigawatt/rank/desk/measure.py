"""Whether a workspace is used, as far as its node can tell: processor time, GPUs, kernels, terminals."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from gigawatt.rank.desk.facts import Facts
from gigawatt.rank.desk.program import Program

ANSWER_BYTES_MAX = 1 << 20
ANSWER_S = 5.0
PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


class Kernels(NamedTuple):
    busy: int
    last_activity: str  # of all of them, as Jupyter writes it


class Cpu:
    """Processor time of every process below this one, between two looks."""

    def __init__(self) -> None:
        self._ticks: dict[int, int] = {}
        self._ended: set[int] = set()
        self._at_s = time.monotonic()

    def milli_cpu(self) -> int:
        """Thousandths of a core since the last look."""
        now_s = time.monotonic()
        ticks, ended = _ticks_below(os.getpid())
        for pid in ended & self._ended:
            _let_go(pid)
        spent = sum(max(count - self._ticks.get(pid, 0), 0) for pid, count in ticks.items())
        span_s = max(now_s - self._at_s, 0.001)
        self._ticks, self._ended, self._at_s = ticks, ended, now_s
        return int(1000 * spent / TICKS / span_s)


class Gpus:
    """Utilisation of whole devices by NVML, where it is on the node."""

    def __init__(self, devices: tuple[str, ...], library: str = "libnvidia-ml.so.1") -> None:
        self._nvml: ctypes.CDLL | None = None
        self._handles: list[ctypes.c_void_p] = []
        if not devices:
            return
        try:
            self._nvml = ctypes.CDLL(library)
        except OSError:
            return
        if self._nvml.nvmlInit_v2() != 0:
            self._nvml = None
            return
        for device in devices:
            handle = ctypes.c_void_p()
            if self._nvml.nvmlDeviceGetHandleByUUID(device.encode(), ctypes.byref(handle)) == 0:
                self._handles.append(handle)

    def percent(self) -> int:
        """Of the busiest device; 0 where nothing can be told."""
        if self._nvml is None:
            return 0
        found = [0]
        for handle in self._handles:
            rates = (ctypes.c_uint * 2)()  # of the device's processors, of its memory
            if self._nvml.nvmlDeviceGetUtilizationRates(handle, ctypes.byref(rates)) == 0:
                found.append(int(rates[0]))
        return max(found)


async def kernels(program: Program | None, facts: Facts) -> Kernels:
    """What Jupyter says of its kernels; none for other programs, and where it does not answer."""
    if program is None or facts.program != "jupyter":
        return Kernels(0, "")
    path = f"{facts.base}api/kernels?no_track_activity=1"
    try:
        told = await asyncio.wait_for(_asked(program.socket, path), ANSWER_S)
    except (TimeoutError, OSError, ValueError):
        return Kernels(0, "")
    busy = sum(each.get("execution_state") == "busy" for each in told)
    return Kernels(busy, max((str(each.get("last_activity", "")) for each in told), default=""))


async def _asked(socket: Path, path: str) -> list[dict[str, Any]]:
    """Raises OSError, ValueError."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        answer = await reader.read(ANSWER_BYTES_MAX)
        while more := await reader.read(ANSWER_BYTES_MAX):
            answer += more
            if len(answer) > ANSWER_BYTES_MAX:
                raise ValueError("too long an answer")
    finally:
        writer.close()
    _, _, body = answer.partition(b"\r\n\r\n")
    told: list[dict[str, Any]] = json.loads(body)
    return told if isinstance(told, list) else []


def _ticks_below(root: int) -> tuple[dict[int, int], set[int]]:
    """Clock ticks by process, this one left out: it only looks. And its children that have ended, not waited for.

    A process that has ended counts with the one that waited for it.
    """
    found: dict[int, int] = {}
    ended: set[int] = set()
    own = set(_children(root))
    queue = list(own)
    while queue:
        pid = queue.pop()
        if pid in found:
            continue
        try:
            stat = (PROC / str(pid) / "stat").read_bytes()
        except OSError:
            continue
        fields = stat[stat.rindex(b")") + 2 :].split()
        if fields[0] == b"Z" and pid in own:
            ended.add(pid)
        found[pid] = sum(int(each) for each in fields[11:15])  # own, and of children it waited for
        queue += _children(pid)
    return found, ended


def _let_go(pid: int) -> None:
    """Take the end of a process that was handed down to us: who started it is gone, and nobody else will."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in (PROC / str(pid) / "task").iterdir():
            found += [int(word) for word in (task / "children").read_text().split()]
    except OSError:
        return found
    return found
