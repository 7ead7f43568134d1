"""EASY by limits against EASY by what gangs alike took (`easy-hold` against `easy-learned`): mean wait and bounded slowdown.

RICC's first 5,000 jobs have limits and users. Philly's jobs have neither, so that EASY has no date for any hold there: on its
slice, what was learned of a project stands against nothing at all.
"""

from dataclasses import dataclass, field

from benchmarks.estimates import PHILLY_82K, PHILLY_NODES, RICC
from benchmarks.figures import Figure
from benchmarks.traces import absent, found
from gigawatt.control.cycle import Outcome
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.node import NodeReport
from gigawatt.scheduler.policy import POLICIES
from gigawatt.twin.history import History
from gigawatt.twin.run import Scenario, Twin
from gigawatt.twin.site import NodeGroup, build_site
from gigawatt.twin.traces.swf import read_swf
from gigawatt.twin.traces.table import PHILLY, Mapped, read_table
from gigawatt.twin.work import Work

RICC_JOBS, PHILLY_JOBS = 5_000, 3_000
BOUND_S = (
    10.0  # shorter runs count as so long, or a wait of a second would be a slowdown of thousands
)
KIB, GIB = 1 << 10, 1 << 30


class Waits(History):
    """Of every job that succeeded: how long it waited and ran."""

    def __init__(self) -> None:
        super().__init__()
        self.times = Times()

    def took(self, outcome: Outcome, *, now_ms: int) -> None:
        for put in outcome.batch.puts:
            if isinstance(put, Job) and put.phase is JobPhase.SUCCEEDED and put.ended_ms:
                placed_ms = put.attempts[0].placed_ms
                self.times.waits_s.append((placed_ms - put.created_ms) / 1000)
                self.times.runs_s.append((put.ended_ms - placed_ms) / 1000)


@dataclass(slots=True, kw_only=True)
class Times:
    """Seconds, by job."""

    waits_s: list[float] = field(default_factory=list[float])
    runs_s: list[float] = field(default_factory=list[float])

    @property
    def mean_wait_s(self) -> float:
        return sum(self.waits_s) / len(self.waits_s)

    @property
    def slowdown(self) -> float:
        """The mean bounded slowdown."""
        pairs = zip(self.waits_s, self.runs_s, strict=True)
        each = [max((wait + run) / max(run, BOUND_S), 1.0) for wait, run in pairs]
        return sum(each) / len(each)


def run() -> list[Figure]:
    figures: list[Figure] = []
    if (file := found(*RICC)) is None:
        print(absent(*RICC))
    else:
        nodes = build_site(NodeGroup(nodes=1024, cores=8, memory_bytes=12_000_000 * KIB))
        works = read_swf(file, jobs_max=RICC_JOBS).works
        figures += _compared(f"RICC, first {RICC_JOBS:,}", nodes, works)
    if (file := found(*PHILLY_82K)) is None:
        print(absent(*PHILLY_82K))
    else:
        group = NodeGroup(nodes=PHILLY_NODES, cores=64, gpus=8, memory_bytes=512 * GIB)
        mapped = Mapped(columns=PHILLY, node_gpus=8)
        works = read_table(file, mapped, jobs_max=PHILLY_JOBS).works
        figures += _compared(f"Philly, first {PHILLY_JOBS:,}", build_site(group), works)
    return figures


def _compared(what: str, nodes: tuple[NodeReport, ...], works: tuple[Work, ...]) -> list[Figure]:
    limits, learned = (_played(nodes, works, name) for name in ("easy-hold", "easy-learned"))
    return [
        Figure(
            what=f"{what}: mean wait, learned durations, of limits'",
            value=learned.mean_wait_s / limits.mean_wait_s,
            unit="",
            goal=1.0,
            note=f"{learned.mean_wait_s:,.0f} s against {limits.mean_wait_s:,.0f} s",
        ),
        Figure(
            what=f"{what}: bounded slowdown, learned durations, of limits'",
            value=learned.slowdown / limits.slowdown,
            unit="",
            goal=1.0,
            note=f"{learned.slowdown:,.1f} against {limits.slowdown:,.1f}",
        ),
    ]


def _played(nodes: tuple[NodeReport, ...], works: tuple[Work, ...], policy: str) -> Times:
    waits = Waits()
    scenario = Scenario(nodes=nodes, workload=works, policy=POLICIES[policy], check=False)
    Twin(scenario, waits).play()
    return waits.times
