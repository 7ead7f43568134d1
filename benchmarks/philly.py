"""Philly's shared 82,247 jobs on 448 GPUs: who waits how long under shares of virtual clusters, and what the twin costs.

Each virtual cluster (VC) is a project whose quota is its part of all GPU time in the trace; all may borrow. The base is
strict FIFO under the same shares; a policy is told neither durations nor limits. A job's time in the queue is what passed
from its submission to its end, less its duration: so it holds restarts (60 s) and work that was lost.
"""

import time
from collections import defaultdict
from dataclasses import dataclass, replace

from benchmarks.figures import Figure
from benchmarks.traces import absent, found
from gigawatt.control.cycle import Outcome
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.quota import Bounds, Entitlement
from gigawatt.scheduler.policy import POLICIES, Policy
from gigawatt.twin.cluster import read_cluster
from gigawatt.twin.happenings import Timing
from gigawatt.twin.history import History
from gigawatt.twin.run import Scenario, Twin
from gigawatt.twin.traces.table import PHILLY, Mapped, read_table
from gigawatt.twin.work import Work

FILE = ("philly", "philly_pollux_82k.csv.gz")
CLUSTER, GPUS = "56x8", 448
RESTART_MS, CHECKPOINT_MS = 60_000, 1_800_000
TIMING = Timing(restart_ms=RESTART_MS, checkpoint_ms=CHECKPOINT_MS, saves_when_told=False)
BASE = "fifo"
OURS = "levels"
JOBS = 0  # of the trace; 0 is all


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """Of one policy: times in the queue by VC, in milliseconds, and what the run cost."""

    by_vc: dict[str, list[int]]
    preemptions: int
    cpu_s: float

    @property
    def mean_s(self) -> float:
        every = [each for waits in self.by_vc.values() for each in waits]
        return sum(every) / len(every) / 1000

    def p99_s(self, vc: str) -> float:
        ordered = sorted(self.by_vc[vc])
        return ordered[-(-99 * len(ordered) // 100) - 1] / 1000


def run() -> list[Figure]:
    file = found(*FILE)
    if file is None:
        print(absent(*FILE))
        return []
    works = read_table(file, Mapped(columns=PHILLY, node_gpus=8), jobs_max=JOBS).works
    base, ours = played(works, BASE), played(works, OURS)
    worse = [vc for vc in sorted(base.by_vc) if ours.p99_s(vc) > base.p99_s(vc)]
    count = len(works)
    return [
        Figure(
            what=f"Philly, {count} jobs on {GPUS} GPUs: mean queue of {OURS}, of {BASE}'s",
            value=ours.mean_s / base.mean_s,
            unit="x",
            goal=0.10,
            note=f"{ours.mean_s:,.0f} s against {base.mean_s:,.0f} s, {ours.preemptions:,} preemptions",
        ),
        Figure(
            what=f"  VCs of {len(base.by_vc)} whose p99 is worse than under {BASE}",
            value=len(worse),
            unit="",
            goal=0,
            note=", ".join(worse),
        ),
        Figure(what=f"  CPU time of {BASE}", value=base.cpu_s, unit="s", goal=20 * count / 82_247),
        Figure(what=f"  CPU time of {OURS}", value=ours.cpu_s, unit="s"),
    ]


def played(works: tuple[Work, ...], name: str) -> Queues:
    """Every job through one policy, with the shares of all of the trace."""
    watched = _Watched(works)
    scenario = Scenario(
        nodes=read_cluster(CLUSTER, gpus=True),
        workload=works,
        policy=_policy(name),
        policy_name=name,
        timing=TIMING if _policy(name).plans else Timing(),  # what is never stopped need not save
        check=False,
        projects=shares(works),
    )
    began_s = time.process_time()
    twin = Twin(scenario, watched)
    twin.play()
    cpu_s = time.process_time() - began_s
    return Queues(by_vc=watched.by_vc, preemptions=twin.tally.preemptions, cpu_s=cpu_s)


def shares(works: tuple[Work, ...]) -> tuple[tuple[str, Entitlement], ...]:
    """Each VC's part of the GPUs is its part of all GPU time, rounded."""
    used: defaultdict[str, int] = defaultdict(int)
    for work in works:
        used[work.project] += work.run_ms * work.shape.per_node.milli_gpu * work.shape.nodes_min
    total = sum(used.values())
    return tuple(
        (vc, Entitlement(quota=Bounds(milli_gpu=1000 * round(GPUS * used[vc] / total))))
        for vc in sorted(used)
    )


def _policy(name: str) -> Policy:
    """A preemption costs the restart and what was not saved: nobody is given notice."""
    return replace(POLICIES[name], notice_ms=0, restart_ms=RESTART_MS)


class _Watched(History):
    """Keeps nothing but how long each job was in the queue."""

    def __init__(self, works: tuple[Work, ...]) -> None:
        super().__init__()
        self._runs = {f"job-{place:09d}": work.run_ms for place, work in enumerate(works, 1)}
        self.by_vc: dict[str, list[int]] = {}

    def took(self, outcome: Outcome, *, now_ms: int) -> None:
        for put in outcome.batch.puts:
            if isinstance(put, Job) and put.phase is JobPhase.SUCCEEDED:
                assert put.ended_ms is not None
                waited_ms = put.ended_ms - put.created_ms - self._runs[put.id]
                self.by_vc.setdefault(put.project, []).append(waited_ms)
