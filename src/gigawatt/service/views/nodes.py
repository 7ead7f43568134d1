"""A node as callers see it: what it has, what is free, and what runs there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gigawatt.model.node import TOPOLOGY_LEVELS, Node
from gigawatt.model.resources import Resources


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
class NodeView:
    """A node. `topology` names the levels that are known; `gangs` hold a share of it now."""

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


def node_view(node: Node, *, free: Resources | None, gangs: Sequence[str]) -> NodeView:
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
    )


def _amounts(resources: Resources) -> AmountsView:
    return AmountsView(
        gpus=resources.milli_gpu / 1_000,
        cpus=resources.milli_cpu / 1_000,
        memory_bytes=resources.memory_bytes,
    )
