"""A node: one machine, or a share of one, and where it stands in the tree of failure domains."""

from dataclasses import dataclass
from enum import StrEnum

from gigawatt.model.health import CheckResult
from gigawatt.model.resources import Resources
from gigawatt.model.suspicion import Mark

TOPOLOGY_LEVELS = ("site", "hall", "spine", "leaf", "rack", "nvlink", "node")


class NodeState(StrEnum):
    READY = "ready"
    CORDONED = "cordoned"  # takes no new gangs
    DRAINING = "draining"  # cordoned, and emptied by a deadline
    DOWN = "down"  # not answering
    JOINING = "joining"  # seen for the first time
    CHECKING = "checking"  # its checks run; it takes no gangs before they are well
    EMPTY = "empty"  # drained: nothing runs there any more
    REPAIR = "repair"  # in someone's hands
    RETIRED = "retired"  # gone for good; it is told apart from one that is down


ASKABLE = (
    NodeState.READY,
    NodeState.CORDONED,
    NodeState.DRAINING,
    NodeState.REPAIR,
    NodeState.RETIRED,
)  # what a person may ask for

# Checks lie between whatever was done to a node and its next gang.
NEXT_STATES: dict[NodeState, frozenset[NodeState]] = {
    NodeState.JOINING: frozenset({NodeState.CHECKING, NodeState.READY}),
    NodeState.CHECKING: frozenset(
        {
            NodeState.READY,
            NodeState.CORDONED,
            NodeState.EMPTY,
            NodeState.REPAIR,
            NodeState.RETIRED,
            NodeState.DOWN,
        }
    ),
    NodeState.READY: frozenset(
        {NodeState.CORDONED, NodeState.DRAINING, NodeState.EMPTY, NodeState.CHECKING}
        | {NodeState.DOWN}
    ),
    NodeState.CORDONED: frozenset(
        {NodeState.READY, NodeState.CHECKING, NodeState.DRAINING, NodeState.EMPTY, NodeState.DOWN}
    ),
    NodeState.DRAINING: frozenset(
        {NodeState.READY, NodeState.CORDONED, NodeState.EMPTY, NodeState.DOWN}
    ),
    NodeState.EMPTY: frozenset(
        {NodeState.READY, NodeState.CHECKING, NodeState.CORDONED, NodeState.REPAIR}
        | {NodeState.RETIRED, NodeState.DOWN}
    ),
    NodeState.REPAIR: frozenset({NodeState.CHECKING, NodeState.READY, NodeState.RETIRED}),
    NodeState.DOWN: frozenset(
        {NodeState.READY, NodeState.CHECKING, NodeState.CORDONED, NodeState.EMPTY}
        | {NodeState.REPAIR, NodeState.RETIRED}
    ),
    NodeState.RETIRED: frozenset({NodeState.CHECKING, NodeState.READY}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One device as NVML names it."""

    uuid: str
    index: int
    kind: str
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """What an engine says of a node; the leader makes a `Node` of it."""

    id: str
    total: Resources
    topology: tuple[
        str, ...
    ]  # one name for each of TOPOLOGY_LEVELS, outermost first; "" where unknown
    address: str
    gpus: tuple[Gpu, ...] = ()
    limits: str = "none"  # how limits hold here: cgroup-v2, cgroup-v1, rlimit or none
    system: str = ""  # e.g. "Linux 6.1 x86_64"
    pythons: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    closed: str = ""  # why its cluster lets nothing start there, by whoever runs that


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    id: str
    state: NodeState
    reason: str
    report: NodeReport
    changed_ms: int
    wanted: NodeState = NodeState.READY  # what a person asked for: the state when it answers
    cached: tuple[str, ...] = ()  # digests of the trees of data that it keeps; sorted
    marks: tuple[Mark, ...] = ()  # failures that are laid to its charge, oldest first
    checks: tuple[CheckResult, ...] = ()  # the newest result of each, by name
    by: str = ""  # who asked for the state that it is in; empty where nobody did
    deadline_ms: int = 0  # when draining or checking has to be over; 0 is without
    version: int = 1

    @property
    def total(self) -> Resources:
        return self.report.total

    @property
    def gpu_kind(self) -> str:
        return self.report.gpus[0].kind if self.report.gpus else ""

    @property
    def ledger_units(self) -> int:
        """What the ledger counts here: milli-GPUs on a GPU node, milli-cores on a CPU node."""
        return self.total.milli_gpu or self.total.milli_cpu
