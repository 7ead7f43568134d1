"""The command's own time, the time until an instance is ready, and what an idle one costs."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, median
from benchmarks.instance import GW, Instance, start, stop

RUNS = 7
IDLE_S = 20.0
SETTLE_S = 3.0  # after it is ready
WAKES_PER_S = 4  # of all processes of an idle instance together


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
        Figure(
            what="  limit: a bare Python that wakes as often",
            value=_bare_cpu(),
            unit="% of a core",
            note="4 times a second; what the machine asks for waking at all",
        ),
    ]


def _bare_cpu() -> float:
    """What the same wakes cost a process that does nothing."""
    script = (
        f"import time\nfor _ in range({IDLE_S * WAKES_PER_S:.0f}): time.sleep({1 / WAKES_PER_S})"
    )
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", script]) as process:
        time.sleep(0.5)  # its own start does not count
        before = _cpu_s(process.pid)
        time.sleep(IDLE_S - 1)
        return (_cpu_s(process.pid) - before) / (IDLE_S - 1) * 100


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
