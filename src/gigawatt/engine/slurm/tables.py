"""Slurm's nodes and jobs as values, read from lines that its commands print. Pure."""

import re
from dataclasses import dataclass

from gigawatt.engine.slurm.hostlist import expand

SEPARATOR = "|"
NODE_FIELDS = (
    "NodeList",
    "NodeAddr",
    "StateComplete",
    "CPUsState",
    "Memory",
    "AllocMem",
    "Gres",
    "GresUsed",
    "Features",
    "Reason",
)  # for `sinfo -O`; the reason comes last, for it may hold anything
JOB_FIELDS = ("JobID", "State", "Name", "NodeList", "tres-alloc", "Reason")  # for `squeue -O`

DEAD = frozenset({"down", "error", "unknown", "future"})
CLOSED = frozenset(
    {"drain", "drained", "draining", "fail", "failing", "maint", "reserved", "blocked", "inval"}
    | {"invalid_reg", "reboot_issued", "reboot_requested"}
)
NO_ANSWER = "*"
ENDED = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "REVOKED",
        "TIMEOUT",
    }
)

_GPU = re.compile(r"gpu(?::(?P<kind>[^:,()]+))?:(?P<count>\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmNode:
    """`states` are base and flags in lower case; `allocated_*` is what all jobs have together."""

    name: str
    address: str
    states: tuple[str, ...]
    answers: bool
    cpus: int
    allocated_cpus: int
    memory_mib: int
    allocated_mib: int
    gpu_kind: str
    gpus: int
    allocated_gpus: int
    features: tuple[str, ...]
    reason: str

    @property
    def dead(self) -> bool:
        return not DEAD.isdisjoint(self.states)

    @property
    def closed(self) -> bool:
        """It takes no new jobs, by someone's will."""
        return not CLOSED.isdisjoint(self.states)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmJob:
    id: int
    state: str  # PENDING, RUNNING, COMPLETING, ...
    name: str
    nodes: tuple[str, ...]  # none as long as it waits
    cpus: int
    memory_mib: int
    reason: str  # why it waits

    @property
    def waits(self) -> bool:
        return self.state == "PENDING"

    @property
    def ending(self) -> bool:
        return self.state == "COMPLETING"

    @property
    def over(self) -> bool:
        return self.state in ENDED


def parse_node(line: str) -> SlurmNode:
    """Raises ValueError."""
    fields = line.removesuffix(SEPARATOR).split(SEPARATOR, len(NODE_FIELDS) - 1)
    name, address, state, cpus, memory, allocated, gres, used, features, reason = map(
        str.strip, fields
    )
    allocated_cpus, _idle, _other, total = (int(each) for each in cpus.split("/"))
    gpu_kind, gpus = gpu_count(gres)
    words = re.split(r"[+,]", state.lower())
    return SlurmNode(
        name=name,
        address=address or name,
        states=tuple(sorted({word.rstrip("*~#!%$@^-") for word in words})),
        answers=NO_ANSWER not in state and "not_responding" not in words,
        cpus=total,
        allocated_cpus=allocated_cpus,
        memory_mib=int(memory),
        allocated_mib=int(allocated),
        gpu_kind=gpu_kind,
        gpus=gpus,
        allocated_gpus=gpu_count(used)[1],
        features=tuple(word for word in features.split(",") if word not in {"", "(null)"}),
        reason="" if reason == "none" else reason,
    )


def parse_job(line: str) -> SlurmJob:
    """Raises ValueError."""
    number, state, name, nodes, tres, reason = map(
        str.strip, line.removesuffix(SEPARATOR).split(SEPARATOR, len(JOB_FIELDS) - 1)
    )
    cpus, memory_mib = tres_amounts(tres)
    return SlurmJob(
        id=int(number),
        state=state,
        name=name,
        nodes=expand(nodes),
        cpus=cpus,
        memory_mib=memory_mib,
        reason=reason,
    )


def tres_amounts(tres: str) -> tuple[int, int]:
    """Cores and MiB of `cpu=4,mem=200M,node=2`."""
    amounts = dict(word.split("=", 1) for word in tres.split(",") if "=" in word)
    return int(amounts.get("cpu", 0)), mib(amounts.get("mem", "0"))


def gpu_count(gres: str) -> tuple[str, int]:
    """The kind of the first GPUs named in `gpu:h100:8(S:0-1),nic:2`, and how many there are of all."""
    found = [(match["kind"] or "", int(match["count"])) for match in _GPU.finditer(gres)]
    return (found[0][0] if found else ""), sum(count for _, count in found)


def mib(text: str) -> int:
    """`800M`, `2G` or `1.50T`, as Slurm prints memory; without a letter it is MiB."""
    units = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}
    unit = units.get(text[-1:].upper())
    return int(float(text[:-1]) * unit) if unit else int(text or 0)
