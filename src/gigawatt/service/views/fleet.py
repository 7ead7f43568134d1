"""The fleet as callers see it: counts by domain, one node of the map, and where a gang is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCountView:
    """How many there are of a part of the site. GPUs of nodes that take gangs are busy or idle; others are unavailable."""

    nodes: int
    gpus: int
    busy: int
    idle: int
    unavailable: int
    down: int  # nodes
    unwell: int  # nodes whose checks warn or fail, or to which failures are laid
    watts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainView:
    """One domain, with its name at its level."""

    level: str
    name: str
    path: tuple[str, ...]  # names from the site down, as `at` takes them
    count: FleetCountView


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetNodeView:
    """A node of a rack, as the map has it."""

    id: str
    row: int
    state: str
    check: str  # the worst outcome of its checks; empty where none has run
    gpus: int
    busy: int
    gangs: tuple[str, ...]  # of those that the caller can see


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """A part of the site: all of it where `at` is empty. `nodes` are those of a rack, `domains` what is in anything else."""

    at: tuple[str, ...]
    level: str
    count: FleetCountView
    domains: tuple[DomainView, ...]
    nodes: tuple[FleetNodeView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GangSpotView:
    """A gang on a node of the map."""

    id: str
    name: str
    kind: str
    tenant: str
    project: str
    phase: str
    nodes: int
    devices: tuple[int, ...]  # their places on this node


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotView:
    """A node of the map, by its row. `others` are gangs on it that the caller cannot see."""

    row: int
    id: str
    path: tuple[str, ...]
    state: str
    reason: str
    check: str
    detail: str  # of the check that is worst
    suspicion: float
    kind: str
    gpus: int
    watts: int
    degrees: int  # of its hottest GPU; 0 where it is not reported
    gangs: tuple[GangSpotView, ...]
    others: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesView:
    """Where something is: rows of nodes, and how many domains of each level they are in."""

    kind: str  # node or gang
    id: str
    name: str
    layout: str  # the version under which rows mean this
    rows: tuple[int, ...]
    racks: int
    leaves: int
    spines: int
