"""Slurm's nodes as the leader is told of them: what is ours to use, whether they answer, who closed them. Pure.

What other jobs of the cluster have is not ours: a node is told without it. Two answers in a row must agree before that
changes, for Slurm is asked for jobs and for nodes one after the other, and our own jobs come and go between.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gigawatt.engine.local.machine import NodeSpec
from gigawatt.engine.slurm.batch import MIB, Share
from gigawatt.engine.slurm.site import Site
from gigawatt.engine.slurm.tables import SlurmJob, SlurmNode
from gigawatt.model.node import Gpu, NodeReport
from gigawatt.model.observation import NodeLost, NodeSeen, Observation

OURS = "gigawatt: "  # begins the reason of every drain that is ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an attempt takes of each of its nodes, and which devices the leader has given it there."""

    share: Share
    held: Mapping[str, tuple[str, ...]]


NOTHING = Share(cpus=0, memory_mib=0, gpus=0)


@dataclass(slots=True)
class _Known:
    node: SlurmNode
    report: NodeReport
    others: Share  # that counts
    measured: Share  # of the last answer
    lost: bool = False


@dataclass(slots=True, kw_only=True)
class Changes:
    """What an answer of Slurm has new. `lost` are the nodes that were not before."""

    seen: list[Observation] = field(default_factory=list[Observation])
    lost: list[str] = field(default_factory=list[str])


class Fleet:
    def __init__(self, site: Site) -> None:
        self.slurm: dict[str, SlurmNode] = {}
        self.specs: dict[str, NodeSpec] = {}
        self._site = site
        self._known: dict[str, _Known] = {}

    @property
    def reports(self) -> tuple[NodeReport, ...]:
        """Of nodes that answer."""
        return tuple(known.report for known in self._known.values() if not known.lost)

    def take(
        self,
        nodes: Iterable[SlurmNode],
        jobs: Mapping[str, SlurmJob],
        plans: Mapping[str, Plan],
        *,
        silent: frozenset[str] = frozenset(),
        now_ms: int,
    ) -> Changes:
        """`jobs` are ours, by attempt, as Slurm has them; `silent` are nodes whose supervisors do not answer."""
        self.slurm = {node.name: node for node in nodes}
        ours = _used(jobs, plans)
        held = {name: _held(name, plans.values()) for name in self.slurm}
        changes = Changes()
        for name, node in self.slurm.items():
            measured = _others(node, ours.get(name, NOTHING))
            known = self._known.get(name)
            others = measured if known is None or known.measured == measured else known.others
            report = self._report(node, others, held[name])
            lost = node.dead or (not node.answers and name in silent)
            _compare(changes, known, report, why=_why_lost(node) if lost else "", now_ms=now_ms)
            self._known[name] = _Known(node, report, others, measured, lost=lost)
            self.specs[name] = _spec(report)
        for name in [each for each in self._known if each not in self.slurm]:
            why = "Slurm does not have it any more"
            _compare(changes, self._known.pop(name), None, why=why, now_ms=now_ms)
        return changes

    def refusal(self, node: str) -> str:
        """Why Slurm would start nothing there; "" where it would, or where that is our own doing."""
        known = self._known.get(node)
        if known is None:
            return f"there is no node {node}"
        if known.lost:
            return f"node {node} does not answer"
        return f"node {node}: {known.report.closed}" if known.report.closed else ""

    def _report(self, node: SlurmNode, others: Share, held: tuple[str, ...]) -> NodeReport:
        devices = [f"{node.name}/gpu{index}" for index in range(node.gpus)]
        free = [device for device in devices if device not in held]
        spare = set(free[len(free) - min(others.gpus, len(free)) :])
        gpus = tuple(
            Gpu(uuid=device, index=index, kind=node.gpu_kind or "gpu", memory_bytes=0)
            for index, device in enumerate(devices)
            if device not in spare
        )
        spec = NodeSpec(
            id=node.name,
            milli_cpu=max(node.cpus - others.cpus, 0) * 1000,
            memory_bytes=max(node.memory_mib - others.memory_mib, 0) * MIB,
            gpus=gpus,
        )
        return NodeReport(
            id=node.name,
            total=spec.total,
            topology=self._site.topology.path(node.name),
            address=node.address,
            gpus=gpus,
            limits="slurm",
            system=self._site.system,
            pythons=self._site.pythons,
            labels=tuple((f"slurm-{feature}", "yes") for feature in node.features),
            closed=_why_closed(node),
        )


def drained_by_us(node: SlurmNode) -> bool:
    return node.closed and node.reason.startswith(OURS)


def _why_closed(node: SlurmNode) -> str:
    if not node.closed or drained_by_us(node):
        return ""
    return f"Slurm has it {'+'.join(node.states)}: {node.reason or 'no reason given'}"


def _why_lost(node: SlurmNode) -> str:
    reason = f": {node.reason}" if node.reason else ""
    return f"Slurm has it {'+'.join(node.states)}{reason}"


def _used(jobs: Mapping[str, SlurmJob], plans: Mapping[str, Plan]) -> dict[str, Share]:
    """What our jobs have, by node."""
    used: dict[str, Share] = {}
    for key, job in jobs.items():
        gpus = plans[key].share.gpus if key in plans else 0
        for node in job.nodes:
            before = used.get(node, NOTHING)
            used[node] = Share(
                cpus=before.cpus + job.cpus // len(job.nodes),
                memory_mib=before.memory_mib + job.memory_mib // len(job.nodes),
                gpus=before.gpus + gpus,
            )
    return used


def _others(node: SlurmNode, ours: Share) -> Share:
    return Share(
        cpus=max(node.allocated_cpus - ours.cpus, 0),
        memory_mib=max(node.allocated_mib - ours.memory_mib, 0),
        gpus=max(node.allocated_gpus - ours.gpus, 0),
    )


def _held(node: str, plans: Iterable[Plan]) -> tuple[str, ...]:
    return tuple(device for plan in plans for device in plan.held.get(node, ()))


def _spec(report: NodeReport) -> NodeSpec:
    total = report.total
    return NodeSpec(
        id=report.id,
        milli_cpu=total.milli_cpu,
        memory_bytes=total.memory_bytes,
        gpus=report.gpus,
    )


def _compare(
    changes: Changes,
    known: "_Known | None",
    report: NodeReport | None,
    *,
    why: str,
    now_ms: int,
) -> None:
    if why:
        if known is not None and not known.lost:
            changes.seen.append(NodeLost(at_ms=now_ms, node=known.node.name, reason=why))
            changes.lost.append(known.node.name)
        return
    assert report is not None
    if known is None or known.lost or known.report != report:
        changes.seen.append(NodeSeen(at_ms=now_ms, report=report))
