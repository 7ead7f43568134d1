"""The gang: processes that start together or not at all. The one noun that the scheduler knows.

A job's attempt is a gang, an endpoint's replica is a gang, a workspace is a gang of one.
"""

from dataclasses import dataclass
from enum import StrEnum

from gigawatt.model.checkpoint import Checkpoint
from gigawatt.model.resources import Resources


class GangKind(StrEnum):
    JOB = "job"
    REPLICA = "replica"
    WORKSPACE = "workspace"


class Isolation(StrEnum):
    """How far a gang is kept from others of its node, weakest first: each is all that those before it are."""

    NONE = "none"  # by nothing but rights of files
    PROCESS = "process"
    USER = "user"
    NODE = "node"

    @property
    def rank(self) -> int:
        """Its place in that order."""
        return tuple(Isolation).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time in which a gang may run; `end_ms` 0 means without end."""

    start_ms: int
    end_ms: int = 0

    def contains(self, now_ms: int) -> bool:
        return self.start_ms <= now_ms and (self.end_ms == 0 or now_ms < self.end_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """So many of the gang's nodes, neighbours in rank, are together in one domain of a topology level."""

    nodes: int
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """At most so many of its nodes in one domain of a topology level; 0: as few in each as can be."""

    level: str
    at_most: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """In no domain of a topology level with another gang of the project that has all of these labels."""

    labels: tuple[tuple[str, str], ...]
    level: str = "node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a gang needs: `nodes_min` to `nodes_max` nodes, and of each the same amounts."""

    nodes_min: int = 1
    nodes_max: int = 1
    ranks_per_node: int = 1
    per_node: Resources
    gpu_kinds: tuple[str, ...] = ()  # alternatives in order; empty means any
    same: str = (
        ""  # the topology level that must hold all nodes, e.g. "rack"; empty means prefer near
    )
    stacked: bool = (
        False  # places, not nodes, are counted: a node may hold several, for the ranks of one
    )
    segment: Segment | None = None
    spares: int = (
        0  # nodes held beside its own, on which nothing of it runs until one of these fails
    )
    spread: Spread | None = None
    apart: tuple[Apart, ...] = ()
    milliwatts: int = 0  # that it draws of each node; 0: by what it asks for (`model.power`)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gang:
    """One entry of the line, made anew from a job or a replica whenever it waits or runs."""

    id: str  # the id of the job or replica it belongs to; with an attempt's number it names a launch
    kind: GangKind
    tenant: str
    project: str
    shape: Shape
    priority: int
    queued_ms: int
    isolation: Isolation = Isolation.NONE
    labels: tuple[tuple[str, str], ...] = ()
    checkpoint: Checkpoint | None = None
    windows: tuple[Window, ...] = ()
    avoid_nodes: tuple[str, ...] = ()  # suspects of its own last failures; sorted
    data: tuple[
        tuple[str, int], ...
    ] = ()  # digests of trees that its nodes need, and their bytes; sorted
    duration_ms: int = 0  # it is stopped after so long; 0 is not known
    latest_ms: int = 0  # when it would have to start for its deadline; 0 without one
    attained_ms: int = 0  # for how long attempts that have ended held their nodes

    def __post_init__(self) -> None:
        stacked, shape = self.shape.stacked, self.shape
        share = shape.per_node.milli_gpu % 1000
        assert not (stacked and share), "places that share a device cannot be stacked"
        assert not stacked or shape.nodes_min == shape.nodes_max, "a stacked gang is not elastic"
