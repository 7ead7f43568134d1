"""Reclaim: one gang takes 2,000 GPUs from 4,000 gangs of one GPU each. CPU time on one core, and peak memory.

KAI's 102 s, which the goal is set against, is a scheduler with its API server and its pods; this is the decision,
then a whole cycle of ours with what it puts on record, without the commit and the stops themselves.
"""

import resource
import time

from benchmarks.figures import Figure, median
from gigawatt.control import cycle
from gigawatt.model.command import SubmitJob
from gigawatt.model.gang import Shape
from gigawatt.model.job import JobSpec
from gigawatt.model.launch import AttemptKey
from gigawatt.model.node import Gpu, NodeReport
from gigawatt.model.observation import NodeSeen, RankStarted
from gigawatt.model.resources import Resources
from gigawatt.model.tenant import DEFAULT_PROJECT, DEFAULT_TENANT
from gigawatt.model.world import World
from gigawatt.reconcile.adopt import Found
from gigawatt.reconcile.turn import Site
from gigawatt.scheduler.decide import finish
from gigawatt.scheduler.encode import Encoder
from gigawatt.scheduler.policy import Policy

NODES = 500
NODE_GPUS = 8
BORROWERS = NODES * NODE_GPUS
CLAIMANT_NODES = 250
ROUNDS = 9
GIB = 1 << 30
BEGAN_MS = 1_000
NOW_MS = 3_600_000


def run() -> list[Figure]:
    policy = Policy(preempt=True)
    state = _full(policy)
    claim = _submission("owner", CLAIMANT_NODES, NODE_GPUS, priority=10)
    times_s: list[float] = []
    began_s = time.process_time()
    outcome = cycle.run(state, [cycle.Asked(ticket=0, command=claim)], now_ms=NOW_MS)
    whole_s = time.process_time() - began_s
    assert outcome.decision is not None and outcome.snapshot is not None
    for _ in range(ROUNDS):
        began_s = time.process_time()
        plans = finish(outcome.snapshot, policy).started().plans
        times_s.append(time.process_time() - began_s)
        assert [len(plan.victims) for plan in plans] == [CLAIMANT_NODES * NODE_GPUS]
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    what = f"reclaim {CLAIMANT_NODES * NODE_GPUS} GPUs for one gang from {BORROWERS} one-GPU gangs"
    return [
        Figure(
            what=f"{what}: decision",
            value=median(times_s) * 1000,
            unit="ms",
            goal=50,
            note=f"CPU, one core; peak memory {peak_mib:.0f} MiB; KAI 102 s, with its servers",
        ),
        Figure(
            what="  the whole cycle: snapshot, decision, 2,000 stops and their ledger entries",
            value=whole_s * 1000,
            unit="ms",
            note="CPU, one core, the first and only time",
        ),
    ]


def _full(policy: Policy) -> cycle.State:
    """A cluster on which every GPU is a borrower's."""
    world = World(epoch=1)
    state = cycle.State(
        world=world,
        encoder=Encoder.of(world, plans=policy.plans),
        site=Site(work_dir="", api_url=""),
        policy=policy,
    )
    reports = [_report(number) for number in range(NODES)]
    found = Found(
        nodes=tuple(report.id for report in reports),
        attempts=(),
        observations=tuple(NodeSeen(at_ms=BEGAN_MS, report=report) for report in reports),
    )
    cycle.first(state, found, now_ms=BEGAN_MS)
    submissions = [_submission(f"borrower-{number}", 1, 1) for number in range(BORROWERS)]
    asked = [cycle.Asked(ticket=0, command=each) for each in submissions]
    cycle.run(state, asked, now_ms=BEGAN_MS)
    started = [
        RankStarted(at_ms=BEGAN_MS, key=key, rank=0, pid=1, address="") for key in _placed(world)
    ]
    assert len(started) == BORROWERS
    cycle.run(state, started, now_ms=BEGAN_MS)
    return state


def _placed(world: World) -> list[AttemptKey]:
    return [AttemptKey(gang=job.id, attempt=1) for job in world.jobs.values() if job.attempt]


def _report(number: int) -> NodeReport:
    name = f"node-{number:03d}"
    gpus = tuple(
        Gpu(uuid=f"{name}-{index}", index=index, kind="b200", memory_bytes=192 * GIB)
        for index in range(NODE_GPUS)
    )
    rack = f"rack-{number // 18:02d}"
    return NodeReport(
        id=name,
        total=Resources(milli_gpu=1000 * NODE_GPUS, milli_cpu=128_000, memory_bytes=1024 * GIB),
        topology=("site", "hall", "spine", "leaf", rack, "", name),
        address="",
        gpus=gpus,
    )


def _submission(name: str, nodes: int, gpus: int, *, priority: int = 0) -> SubmitJob:
    amounts = Resources(milli_gpu=1000 * gpus, milli_cpu=1000 * gpus, memory_bytes=GIB * gpus)
    spec = JobSpec(
        name=name,
        command=("true",),
        shape=Shape(nodes_min=nodes, nodes_max=nodes, per_node=amounts),
        environment="host",
        priority=priority,
    )
    return SubmitJob(
        id=name, tenant=DEFAULT_TENANT, project=DEFAULT_PROJECT, by="benchmark", spec=spec
    )
