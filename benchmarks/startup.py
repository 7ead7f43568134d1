"""The command's own time, the time until an instance is ready, and what an idle one costs."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, median
from benchmarks.instance import GW, Instance, start, stop

RUNS = 7
IDLE_S = 20.0
SETTLE_S = 3.0  # after it is ready


def run() -> list[Figure]:
    version = median([_version_s() for _ in range(RUNS)])
    figures = [Figure(what="gw --version", value=version, unit="s", goal=0.25)]
    times: list[float] = []
    with tempfile.TemporaryDirectory(prefix="gigawatt-bench-") as folder:
        for number in range(5):
            data = Path(folder) / str(number)
            began = time.monotonic()
            instance = start(data)
            times.append(time.monotonic() - began)
            if number == 4:
                figures += _idle(instance)
            stop(data)
    note = "gw up --detach, empty directory"
    ready = Figure(what="gw up to ready", value=median(times), unit="s", goal=2, note=note)
    return [figures[0], ready, *figures[1:]]


def _version_s() -> float:
    began = time.monotonic()
    subprocess.run([*GW, "--version"], check=True, capture_output=True)
    return time.monotonic() - began


def _idle(instance: Instance) -> list[Figure]:
    """PSS and CPU of every process that has the data directory in its command line, and of their children."""
    pids = processes_of(instance)
    time.sleep(SETTLE_S)
    before = sum(_cpu_s(pid) for pid in pids)
    time.sleep(IDLE_S)
    pids = processes_of(instance)
    cpu = (sum(_cpu_s(pid) for pid in pids) - before) / IDLE_S * 100
    pss = {pid: _pss_mb(pid) for pid in pids}
    note = " + ".join(f"{value:.0f}" for value in pss.values())
    return [
        Figure(
            what="idle memory, all processes",
            value=sum(pss.values()),
            unit="MB",
            goal=200,
            note=note,
        ),
        Figure(what="idle CPU", value=cpu, unit="% of a core", goal=1, note=f"over {IDLE_S:.0f} s"),
    ]


def processes_of(instance: Instance) -> list[int]:
    """The instance's processes, by its directory in their command lines."""
    found = [instance.pid]
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in {instance.pid, os.getpid()}:
            continue
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(instance.data).encode() in words:
            found.append(int(entry.name))
    return found


def _pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
