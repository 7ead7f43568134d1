"""The scheduler at a three-gigawatt site: 1.25 million GPUs in 312,500 nodes. CPU time on one core, and peak memory.

A cycle is all that the scheduler does in it: the encoder takes what ended and what was submitted, the snapshot is made, the
decision with the reason of every gang that waits, and the encoder takes what was started. The jobs and attempts
themselves are made outside of the time, as reconcile makes them in production; committing and launching are not here.

The peers' figures, with their API servers, are of some tens of placements a second: Kueue 40, KAI 10, slurmctld 7 at
10,000 nodes.
"""

import gc
import os
import random
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.figures import Figure, median
from gigawatt.model.attempt import Attempt, AttemptPhase, RankStatus
from gigawatt.model.decision import Decision, Start
from gigawatt.model.gang import Segment, Shape
from gigawatt.model.job import Job, JobPhase, JobSpec
from gigawatt.model.node import Gpu, Node, NodeReport, NodeState
from gigawatt.model.resources import Resources
from gigawatt.scheduler.decide import Finished, finish
from gigawatt.scheduler.encode import Encoder
from gigawatt.scheduler.explain import explain
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.snapshot import Snapshot
from gigawatt.server.run import COLLECT_AFTER

NODES = int(os.environ.get("GIGAWATT_SCALE_NODES", "312500"))
NODE_GPUS, RACK_NODES, LEAF_RACKS, SPINE_RACKS, HALL_RACKS = 4, 18, 16, 128, 1024
PROJECTS = 1_000
TURNOVER = 1_000  # gangs that end, and that are submitted, in a cycle
CYCLES = 12
WIDE = min(4_096, NODES // 8 // 16 * 16)  # nodes of one gang
FULL = 0.95  # of the GPUs
WAITING = 10_000
SEED = 1
GIB = 1 << 30
NOW_MS = 1_000_000
POLICY = Policy(steps_max=1_000_000)


def run() -> list[Figure]:
    site = Site()
    site.fill()
    gc.freeze()  # as the control plane does once it has started
    gc.set_threshold(*COLLECT_AFTER)
    wide = _shape(WIDE, NODE_GPUS)
    laid_out = replace(wide, segment=Segment(nodes=16, level="rack"), spares=RACK_NODES - 16)
    return [
        *_turnover(site),
        _wide(site, wide, ""),
        _wide(site, laid_out, " in segments of 16, each with 2 spares in its rack"),
        *_waiting(site),
        _impossible(site),
    ]


@dataclass(slots=True)
class Site:
    """Nodes, what runs on them, and the encoder that knows both."""

    encoder: Encoder = field(default_factory=Encoder)
    running: dict[str, Job] = field(default_factory=dict[str, Job])
    waiting: dict[str, Job] = field(default_factory=dict[str, Job])
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    count: int = 0
    now_ms: int = NOW_MS

    def __post_init__(self) -> None:
        for number in range(NODES):
            self.encoder.apply(node(number))

    def fill(self) -> None:
        """Run small and large gangs until the GPUs are as full as is wanted."""
        wanted = int(FULL * NODES * NODE_GPUS) * 1000
        used = 0
        while used < wanted:
            for job in [self.job() for _ in range(5 * TURNOVER)]:
                self.submit(job)
            _, decision = self.decide()
            used += sum(_milli(job) for job in self.start(decision))
            self.withdraw()

    def job(self) -> Job:
        """One in ten can never be placed, one in five takes a part of a node, and the others 1 to 16 whole nodes of a rack."""
        self.count += 1
        kind = self.chance.random()
        if kind < 0.1:
            return _job(self, _shape(RACK_NODES + 2, NODE_GPUS, same="rack"))
        if kind < 0.3:
            return _job(self, _shape(1, self.chance.choice((1, 2))))
        nodes = self.chance.choice((1, 2, 4, 8, 16))
        return _job(self, _shape(nodes, NODE_GPUS, same="rack"))

    def submit(self, job: Job) -> None:
        self.waiting[job.id] = job
        self.encoder.apply(job)

    def withdraw(self) -> None:
        """Those that still wait go."""
        for job in self.waiting.values():
            self.encoder.apply(replace(job, phase=JobPhase.CANCELLED, ended_ms=self.now_ms))
        self.waiting.clear()

    def decide(self) -> tuple[Snapshot, Decision]:
        self.now_ms += 1
        snapshot = self.encoder.snapshot(self.now_ms, dated=False)
        return snapshot, finish(snapshot, POLICY, self.encoder.memo).started()

    def start(self, decision: Decision) -> list[Job]:
        started = [self.placed(start) for start in decision.starts]
        for job in started:
            self.encoder.apply(job)
        return started

    def placed(self, start: Start) -> Job:
        job = self.waiting.pop(start.gang)
        ranks = tuple(
            RankStatus(rank=rank, node=node, gpus=tuple(f"{node}-{place}" for place in gpus))
            for rank, (node, gpus) in enumerate(zip(start.nodes, start.gpus, strict=False))
        )
        attempt = Attempt(
            n=1,
            phase=AttemptPhase.RUNNING,
            nodes=start.nodes,
            ranks=ranks,
            epoch=1,
            placed_ms=self.now_ms,
        )
        job = replace(job, phase=JobPhase.RUNNING, attempts=(attempt,))
        self.running[job.id] = job
        return job

    def ended(self, count: int) -> list[Job]:
        """So many of those that run, as they are when they have ended."""
        gone = [self.running.pop(each) for each in self.chance.sample(list(self.running), count)]
        return [_ended(job, self.now_ms) for job in gone]


def node(number: int) -> Node:
    name, rack = f"node-{number:06d}", number // RACK_NODES
    levels = (rack // HALL_RACKS, rack // SPINE_RACKS, rack // LEAF_RACKS, rack, rack)
    gpus = tuple(
        Gpu(uuid=f"{name}-{place}", index=place, kind="gb200", memory_bytes=186 * GIB)
        for place in range(NODE_GPUS)
    )
    report = NodeReport(
        id=name,
        total=Resources(milli_gpu=1000 * NODE_GPUS, milli_cpu=144_000, memory_bytes=960 * GIB),
        topology=("site", *(f"{level:06d}" for level in levels), name),
        address="",
        gpus=gpus,
    )
    return Node(id=name, state=NodeState.READY, reason="", report=report, changed_ms=0)


def _turnover(site: Site) -> Iterator[Figure]:
    times_s: list[float] = []
    for _ in range(CYCLES):
        gone, came = site.ended(TURNOVER), [site.job() for _ in range(TURNOVER)]
        began_s = time.process_time()
        for job in gone:
            site.encoder.apply(job)
        for job in came:
            site.submit(job)
        finished = _finished(site)
        decision = finished.decision()
        spent_s = time.process_time() - began_s
        started = [site.placed(start) for start in decision.starts]
        began_s = time.process_time()
        for job in started:
            site.encoder.apply(job)
        times_s.append(spent_s + time.process_time() - began_s)
        assert len(decision.starts) + len(decision.waits) == TURNOVER
        site.withdraw()
    what = f"placements at {NODES * NODE_GPUS:,} GPUs: cycles of {TURNOVER:,} ends and {TURNOVER:,} submissions"
    yield Figure(
        what=what,
        value=TURNOVER / median(times_s),
        unit="/s",
        goal=20_000,
        at_least=True,
        note=f"CPU of the whole cycle; slowest {max(times_s) * 1000:.0f} ms; peers, with their servers: 7-40/s",
    )
    yield Figure(what="  one such cycle", value=median(times_s) * 1000, unit="ms")


def _wide(site: Site, shape: Shape, how: str) -> Figure:
    """Enough ends beforehand that one such gang fits."""
    while True:
        for job in site.ended(min(5 * TURNOVER, len(site.running))):
            site.encoder.apply(job)
        site.submit(_job(site, shape))
        _finished(site)  # takes in what has ended
        began_s = time.process_time()
        finished = _finished(site)
        spent_s = time.process_time() - began_s
        decision = finished.started()
        if decision.starts:
            site.start(decision)
            nodes = len(decision.starts[0].nodes)
            what = f"a {nodes:,}-node gang{how}"
            return Figure(what=what, value=spent_s * 1000, unit="ms", goal=20)
        site.withdraw()


def _waiting(site: Site) -> Iterator[Figure]:
    """A line of 10,000 gangs that do not fit, and a cycle in which one in a hundred nodes and gangs has changed."""
    for _ in range(WAITING):
        nodes = site.chance.choice((18, 17, 16))
        site.count += 1
        site.submit(_job(site, _shape(nodes, NODE_GPUS, same="rack")))
    _, decision = site.decide()
    site.start(decision)
    times_s: list[float] = []
    for _ in range(5):
        gone = site.ended(max(1, len(site.running) // 100))
        came = [site.job() for _ in range(WAITING // 100)]
        began_s = time.process_time()
        for job in gone:
            site.encoder.apply(job)
        for job in came:
            site.submit(job)
        decision = _finished(site).decision()
        times_s.append(time.process_time() - began_s)
        site.start(decision)
    yield Figure(
        what=f"full cycle, {len(site.waiting):,} gangs of {PROJECTS:,} projects wait, 1 % has changed",
        value=median(times_s) * 1000,
        unit="ms",
        goal=100,
        note=f"{len(gone):,} ends, {len(came):,} submissions, reasons of all",
    )
    snapshot = site.encoder.snapshot(site.now_ms, dated=False)
    began_s = time.process_time()
    finish(snapshot, POLICY).decision()
    yield Figure(
        what="  the same decision from the snapshot alone",
        value=time.process_time() - began_s,
        unit="s",
        goal=3,
        note="without what is kept from cycle to cycle",
    )
    yield Figure(
        what="memory of the snapshot's arrays",
        value=_array_bytes(snapshot) / 1e6,
        unit="MB",
        goal=300,
        note=f"the process peaked at {_peak_mb():,.0f} MB, with every node and job as objects",
    )


def _impossible(site: Site) -> Figure:
    site.withdraw()
    job = _job(site, _shape(RACK_NODES + 2, NODE_GPUS, same="rack"))
    site.submit(job)
    _finished(site)  # takes in what has changed before
    snapshot = site.encoder.snapshot(site.now_ms, dated=False)
    began_s = time.process_time()
    told = explain(snapshot, job.id, POLICY, site.encoder.memo)
    spent_s = time.process_time() - began_s
    assert told is not None and told.reason is not None
    change = told.cheapest_change
    return Figure(
        what="impossible, with its reason and the cheapest change",
        value=spent_s * 1000,
        unit="ms",
        goal=5,
        note=f"{told.reason.code}; {change.field} {change.before} -> {change.after}"
        if change
        else told.reason.code,
    )


def _finished(site: Site) -> Finished:
    site.now_ms += 1
    snapshot = site.encoder.snapshot(site.now_ms, dated=False)
    return finish(snapshot, POLICY, site.encoder.memo)


def _array_bytes(snapshot: Snapshot) -> int:
    arrays: Sequence[object] = [
        getattr(part, name)
        for part in (snapshot.nodes, snapshot.gangs)
        for name in part.__dataclass_fields__
    ]
    return sum(each.nbytes for each in arrays if isinstance(each, np.ndarray))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _shape(nodes: int, gpus: int, *, same: str = "") -> Shape:
    amounts = Resources(
        milli_gpu=1000 * gpus, milli_cpu=32_000 * gpus, memory_bytes=200 * GIB * gpus
    )
    return Shape(nodes_min=nodes, nodes_max=nodes, per_node=amounts, same=same)


def _job(site: Site, shape: Shape) -> Job:
    site.count += 1
    spec = JobSpec(name="train", command=("true",), shape=shape, environment="host")
    return Job(
        id=f"job-{site.count:09d}",
        tenant="tenant",
        project=f"project-{site.chance.randrange(PROJECTS):03d}",
        spec=spec,
        phase=JobPhase.QUEUED,
        created_ms=site.now_ms,
        queued_ms=site.now_ms,
        submitted_by="benchmark",
    )


def _ended(job: Job, now_ms: int) -> Job:
    assert job.attempt is not None
    attempt = replace(job.attempt, phase=AttemptPhase.ENDED, ended_ms=now_ms)
    return replace(job, phase=JobPhase.SUCCEEDED, ended_ms=now_ms, attempts=(attempt,))


def _milli(job: Job) -> int:
    assert job.attempt is not None
    return job.spec.shape.per_node.milli_gpu * len(job.attempt.nodes)
