"""What this machine has, and how it is shared out among virtual nodes."""

import os
import platform
import re
from dataclasses import dataclass, replace
from pathlib import Path

from gigawatt.engine.local.gpus import find_gpus, load_nvml
from gigawatt.model.node import TOPOLOGY_LEVELS, Gpu
from gigawatt.model.resources import Resources

RESERVE_BYTES = 1 << 30  # of memory, for the system and the control plane; at most an eighth
ADDRESS = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One virtual node: its share of the machine, and where it stands."""

    id: str
    milli_cpu: int
    memory_bytes: int
    gpus: tuple[Gpu, ...] = ()
    rack: str = "rack-0"
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def total(self) -> Resources:
        return Resources(
            milli_gpu=1000 * len(self.gpus),
            milli_cpu=self.milli_cpu,
            memory_bytes=self.memory_bytes,
        )

    @property
    def topology(self) -> tuple[str, ...]:
        known = {"site": "local", "rack": self.rack, "node": self.id}
        return tuple(known.get(level, "") for level in TOPOLOGY_LEVELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    cpus: int
    memory_bytes: int
    gpus: tuple[Gpu, ...]
    pythons: tuple[str, ...]  # "3.11", ..., newest first
    system: str


def look_at_machine() -> Machine:
    """This machine as we may use it. Raises OSError where /proc cannot be read."""
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=usable_memory(Path("/proc/meminfo").read_text(), _group_limit()),
        gpus=find_gpus(load_nvml()),
        pythons=find_pythons(os.environ.get("PATH", ""), own=platform.python_version()),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


def share_machine(count: int, machine: Machine | None = None) -> tuple[NodeSpec, ...]:
    """`count` even nodes, node-0 and on. What does not divide goes to the first ones; every GPU is one node's."""
    assert count >= 1
    found = machine or look_at_machine()
    return tuple(
        NodeSpec(
            id=f"node-{index}",
            milli_cpu=_share(found.cpus * 1000, count, index),
            memory_bytes=_share(found.memory_bytes, count, index),
            gpus=tuple(
                replace(gpu, index=place)
                for place, gpu in enumerate(_slice(found.gpus, count, index))
            ),
        )
        for index in range(count)
    )


def usable_memory(meminfo: str, group_limit_bytes: int | None) -> int:
    """Bytes for ranks: what the machine or our group has, less a reserve."""
    match = re.search(r"^MemTotal:\s+(\d+) kB$", meminfo, re.MULTILINE)
    assert match, "/proc/meminfo has no MemTotal"
    total = int(match.group(1)) * 1024
    if group_limit_bytes is not None:
        total = min(total, group_limit_bytes)
    return total - min(RESERVE_BYTES, total // 8)


def find_pythons(path: str, *, own: str) -> tuple[str, ...]:
    """Minor versions of the interpreters in PATH, by name and without running them, and our own."""
    found = {_minor(own)}
    for entry in path.split(os.pathsep):
        try:
            names = os.listdir(entry or ".")  # noqa: PTH208 - entries of PATH are strings, and may be empty
        except OSError:
            continue
        found.update(match.group(1) for name in names if (match := _PYTHON.fullmatch(name)))
    return tuple(sorted(found, key=_version, reverse=True))


_PYTHON = re.compile(r"python(3\.\d+)")


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _share(total: int, count: int, index: int) -> int:
    return total * (index + 1) // count - total * index // count


def _slice(gpus: tuple[Gpu, ...], count: int, index: int) -> tuple[Gpu, ...]:
    first = len(gpus) * index // count
    return gpus[first : len(gpus) * (index + 1) // count]


def _group_limit() -> int | None:
    """The memory limit of our own control group, as a container sets it."""
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(name).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            return int(text)
    return None
