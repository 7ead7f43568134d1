"""Changes that `gw explain` prints: each is applied to a job of a busy site in the twin, and counts if it starts by then.

The load is mixed: four projects with quotas, limits and weights; priorities; gangs of one to eight nodes, elastic ones,
ones that ask for a rack, for segments with spares, or to be spread; two kinds of GPU; most have limits; in every other
run a power tree caps the site and one rack. A change is applied as a person does it: the job is taken back, and
submitted again with the one field changed. What is said to start now must start in the same moment; what has a date, by
then, whatever else comes.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np

from benchmarks.figures import Figure
from gigawatt.control import cycle
from gigawatt.control.foresight import Foresight
from gigawatt.model.command import CancelJob, SubmitJob
from gigawatt.model.gang import Segment, Shape, Spread
from gigawatt.model.job import Job, JobSpec
from gigawatt.model.power import Feed, Supply
from gigawatt.model.quota import Bounds, Entitlement
from gigawatt.model.resources import Resources
from gigawatt.scheduler.explain import CheapestChange, explain
from gigawatt.scheduler.policy import POLICIES
from gigawatt.twin.history import History
from gigawatt.twin.run import Scenario, Twin
from gigawatt.twin.site import NodeGroup, build_site
from gigawatt.twin.work import Work

SEEDS = {"default": 4, "easy-hold": 2}
JOBS, GAP_S = 300, 75
EVERY = 3  # times at which anything happens, between changes
GIB = 1 << 30
KEPT_PERCENT = 95.0
FIRST_RACK = "g0-rack0"
PROJECTS = (
    ("p0", Entitlement(quota=Bounds(milli_gpu=64_000), weight=2)),
    ("p1", Entitlement(quota=Bounds(milli_gpu=48_000), limit=Bounds(milli_gpu=128_000))),
    ("p2", Entitlement(quota=Bounds(milli_gpu=32_000), borrows=False)),
    ("p3", Entitlement()),
)
FEEDS = (
    Feed(
        id="hall",
        created_ms=0,
        cap_milliwatts=153_600_000,
        supplies=(Supply(level="site", name="site"),),
    ),
    Feed(
        id="row",
        created_ms=0,
        parent="hall",
        cap_milliwatts=41_600_000,
        supplies=(Supply(level="rack", name=FIRST_RACK),),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked(Work):
    """Work with a priority."""

    priority: int = 0

    def spec(self, name: str) -> JobSpec:
        """What is submitted."""
        return replace(Work.spec(self, name), priority=self.priority)


@dataclass(slots=True, kw_only=True)
class Count:
    """Of changes that were applied: how many were tried and kept, by whether they had a date and by field."""

    tried: Counter[tuple[bool, str]] = field(default_factory=Counter[tuple[bool, str]])
    kept: Counter[tuple[bool, str]] = field(default_factory=Counter[tuple[bool, str]])

    def note(self, change: CheapestChange, *, kept: bool) -> None:
        """One more."""
        key = change.start != "now", change.field
        self.tried[key] += 1
        self.kept[key] += kept

    def of(self, *, dated: bool) -> tuple[int, int]:
        """How many were kept, of how many."""
        kept, tried = (
            sum(n for (with_date, _), n in counts.items() if with_date == dated)
            for counts in (self.kept, self.tried)
        )
        return kept, tried


def run() -> list[Figure]:
    figures: list[Figure] = []
    for policy, seeds in SEEDS.items():
        count = Count()
        for seed in range(seeds):
            applied(scenario(policy, seed), count)
        for dated, what in ((False, "now"), (True, "by a date")):
            kept, tried = count.of(dated=dated)
            by_field = ", ".join(
                f"{name} {count.kept[dated, name]}/{n}"
                for (of, name), n in sorted(count.tried.items())
                if of == dated
            )
            figures.append(
                Figure(
                    what=f"changes that start a job {what}, {policy}: kept of {tried}",
                    value=100 * kept / tried if tried else 0.0,
                    unit="%",
                    goal=KEPT_PERCENT,
                    at_least=True,
                    note=by_field,
                )
            )
    return figures


def scenario(policy: str, seed: int, *, jobs: int = JOBS, estimates: bool = True) -> Scenario:
    """A busy site of two kinds of GPU, of which nothing is checked."""
    group = NodeGroup(nodes=24, cores=64, gpus=8, gpu_kind="h100", memory_bytes=512 * GIB)
    nodes = build_site(
        replace(group, nodes_per_domain=4, nodes_per_rack=8, nodes_per_leaf=16),
        replace(group, nodes=8, gpu_kind="a100", nodes_per_rack=4, nodes_per_leaf=8),
    )
    return Scenario(
        nodes=nodes,
        workload=tuple(_works(seed, jobs)),
        policy=POLICIES[policy],
        check=False,
        estimates=estimates,
        projects=PROJECTS,
        feeds=FEEDS if seed % 2 else (),
    )


def applied(scenario: Scenario, count: Count, *, with_dates: bool = True) -> None:
    """Play it; every few moments what is printed of another job that waits is done."""
    starts = _Starts()
    twin = Twin(scenario, starts)
    foresight = Foresight(twin.state, now=lambda: twin.now_ms)
    works = {f"job-{place:09d}": work for place, work in enumerate(scenario.workload, 1)}
    left, dated, steps = set(works), dict[str, CheapestChange](), 0
    while twin.step():
        steps += 1
        waiting = [] if steps % EVERY else [job for job in twin.state.waits if job in left]
        if not waiting:
            continue
        job = sorted(waiting)[steps % len(waiting)]
        left.remove(job)
        change = printed(twin, foresight, job, with_dates=with_dates)
        if change is None:
            continue
        again = f"again-{job}"
        submit_again(twin, job, again, change, run_ms=works[job].run_ms)
        if change.start == "now":
            count.note(change, kept=again in starts.at_ms)
        else:
            dated[again] = change
    for again, change in dated.items():
        by_ms = datetime.fromisoformat(change.start).timestamp() * 1000
        at_ms = starts.at_ms.get(again)
        count.note(change, kept=at_ms is not None and at_ms < by_ms + 1000)


def printed(
    twin: Twin, foresight: Foresight, id: str, *, with_dates: bool
) -> CheapestChange | None:
    """As `gw explain` has it: what starts the job now, else what starts it sooner."""
    state = twin.state
    snapshot = state.snapshot(twin.now_ms)
    told = explain(snapshot, id, state.policy, likely_ms=foresight.likely_ms(id))
    if told is not None and told.cheapest_change is not None:
        return told.cheapest_change
    return asyncio.run(foresight.sooner(id)) if with_dates else None


def submit_again(twin: Twin, id: str, again: str, change: CheapestChange, *, run_ms: int) -> None:
    """Take the job back, and submit it as `again` with the change."""
    job = twin.state.world.jobs[id]
    twin.machines.expect(again, run_ms)
    submit = SubmitJob(
        id=again,
        tenant=job.tenant,
        project=job.project,
        by=job.submitted_by,
        spec=changed(job.spec, change),
    )
    inputs: list[Any] = [
        cycle.Asked(ticket=0, command=CancelJob(id=id, by=job.submitted_by)),
        cycle.Asked(ticket=1, command=submit),
    ]
    twin.take(inputs)


def changed(spec: JobSpec, change: CheapestChange) -> JobSpec:
    """What a person submits who was told of the change."""
    value: Any = change.after
    if change.field == "timeout":
        return replace(spec, timeout_s=value)
    amounts = {
        "gpus": ("milli_gpu", 1000),
        "cpus": ("milli_cpu", 1000),
        "memory": ("memory_bytes", 1),
    }
    name = change.field.removeprefix("gang.")
    fields: dict[str, Any] = {name: value}
    match name:
        case "gpus" | "cpus" | "memory":
            amount, unit = amounts[name]
            more: dict[str, Any] = {amount: round(value * unit)}
            fields = {"per_node": replace(spec.shape.per_node, **more)}
        case "nodes":
            fields = {"nodes_min": value, "nodes_max": value}
        case "nodes.min":
            fields = {"nodes_min": value}
        case "spread" | "segment":
            fields = {name: None}
        case "apart":
            fields = {name: ()}
        case _:
            pass
    return replace(spec, shape=replace(spec.shape, **fields))


class _Starts(History):
    """When each job that was submitted again was first placed."""

    def __init__(self) -> None:
        super().__init__()
        self.at_ms: dict[str, int] = {}

    def took(self, outcome: cycle.Outcome, *, now_ms: int) -> None:
        for put in outcome.batch.puts:
            if isinstance(put, Job) and put.attempts and put.id.startswith("again"):
                self.at_ms.setdefault(put.id, put.attempts[0].placed_ms)


def _works(seed: int, jobs: int) -> Iterator[Ranked]:
    """Users of four projects, each of whom has a usual run time."""
    drawn = np.random.Generator(np.random.PCG64(seed))
    usual = drawn.standard_normal((4, 4))
    at_ms = 0
    for _ in range(jobs):
        project, user = (int(each) for each in drawn.integers(4, size=2))
        normal = 0.7 * usual[project, user] + 0.7 * drawn.standard_normal()
        run_ms = min(max(int(900_000 * np.exp(1.5 * normal)), 10_000), 86_400_000)
        yield Ranked(
            at_ms=at_ms,
            run_ms=run_ms,
            limit_ms=int(run_ms * (1 + 3 * drawn.random())) if drawn.random() < 0.8 else 0,
            shape=_shape(drawn),
            project=f"p{project}",
            user=f"u{project}{user}",
            priority=int(drawn.choice([0, 0, 0, 0, 10, 50])),
        )
        at_ms += int(drawn.exponential(GAP_S * 1000))


def _shape(drawn: np.random.Generator) -> Shape:
    nodes = int(drawn.choice([1, 1, 1, 1, 2, 2, 4, 8]))
    gpus = int(drawn.choice([1, 2, 4, 8, 8, 8])) if nodes == 1 else 8
    kind, form = drawn.random(2)
    shape = Shape(
        nodes_min=nodes,
        nodes_max=nodes,
        per_node=Resources(
            milli_gpu=1000 * gpus,
            milli_cpu=gpus * int(drawn.choice([1000, 4000, 7000])),
            memory_bytes=gpus * GIB * int(drawn.choice([8, 32, 60])),
        ),
        gpu_kinds=("h100",) if kind < 0.5 else ("a100",) if kind < 0.6 else (),
    )
    if nodes in {2, 4} and form < 0.4:
        return replace(shape, same="rack")
    if nodes >= 4 and form < 0.7:
        return replace(shape, segment=Segment(nodes=nodes // 2, level="rack"), spares=1)
    if nodes == 2 and form < 0.6:
        return replace(shape, spread=Spread(level="rack", at_most=1))
    return replace(shape, nodes_max=2 * nodes) if nodes > 1 and form > 0.8 else shape
