"""A node as callers see it: what it has, what is free, and what runs there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gigawatt.model.node import TOPOLOGY_LEVELS, Node
from gigawatt.model.resources import Resources
from gigawatt.model.suspicion import ONE, score


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountsView:
    """GPUs and CPUs with their fractions."""

    gpus: float
    cpus: float
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuView:
    """One device."""

    uuid: str
    index: int
    kind: str
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkView:
    """A failure that is laid to a node; `gang` and `attempt` name what failed."""

    at_ms: int
    gang: str
    attempt: int
    what: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """The newest result of one check: ok, warn or fail."""

    name: str
    outcome: str
    at_ms: int
    detail: str
    took_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """A node. `topology` names the levels that are known; `gangs` hold a share of it now. `by` asked for its state, and
    `suspicion` is how many failures are laid to it, each counting half after a day.
    """

    id: str
    state: str
    reason: str
    address: str
    topology: Mapping[str, str]
    total: AmountsView
    free: AmountsView
    gpus: tuple[GpuView, ...]
    limits: str
    system: str
    pythons: tuple[str, ...]
    gangs: tuple[str, ...]
    changed_ms: int
    version: int
    by: str
    deadline_ms: int
    suspicion: float
    marks: tuple[MarkView, ...]
    checks: tuple[CheckView, ...]


def node_view(node: Node, *, free: Resources | None, gangs: Sequence[str], now_ms: int) -> NodeView:
    """`free` is None for a node that the leader does not know: nothing of it can be had."""
    report = node.report
    levels = zip(TOPOLOGY_LEVELS, report.topology, strict=False)
    return NodeView(
        id=node.id,
        state=node.state.value,
        reason=node.reason,
        address=report.address,
        topology={level: name for level, name in levels if name},
        total=_amounts(report.total),
        free=_amounts(free or Resources()),
        gpus=tuple(
            GpuView(uuid=gpu.uuid, index=gpu.index, kind=gpu.kind, memory_bytes=gpu.memory_bytes)
            for gpu in report.gpus
        ),
        limits=report.limits,
        system=report.system,
        pythons=report.pythons,
        gangs=tuple(sorted(gangs)),
        changed_ms=node.changed_ms,
        version=node.version,
        by=node.by,
        deadline_ms=node.deadline_ms,
        suspicion=score(node.marks, now_ms=now_ms) / ONE,
        marks=tuple(
            MarkView(
                at_ms=mark.at_ms,
                gang=mark.gang,
                attempt=mark.attempt,
                what=mark.what,
                detail=mark.detail,
            )
            for mark in node.marks
        ),
        checks=tuple(
            CheckView(
                name=each.name,
                outcome=each.outcome.value,
                at_ms=each.at_ms,
                detail=each.detail,
                took_ms=each.took_ms,
            )
            for each in node.checks
        ),
    )


def _amounts(resources: Resources) -> AmountsView:
    return AmountsView(
        gpus=resources.milli_gpu / 1_000,
        cpus=resources.milli_cpu / 1_000,
        memory_bytes=resources.memory_bytes,
    )
