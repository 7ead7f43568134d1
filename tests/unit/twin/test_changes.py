"""A change that was printed comes true: the job is cancelled, submitted again as told, and starts at once."""

from dataclasses import replace
from typing import Any

import pytest

from gigawatt.control import cycle
from gigawatt.model.command import CancelJob, SubmitJob
from gigawatt.model.gang import Shape
from gigawatt.model.job import JobPhase, JobSpec
from gigawatt.model.resources import Resources
from gigawatt.scheduler.explain import CheapestChange, explain
from gigawatt.scheduler.policy import POLICIES
from gigawatt.twin.run import Scenario, Twin
from gigawatt.twin.synthetic import Size, Synthetic, synthetic_works
from tests.unit.twin.sites import gpu_site

SEEDS = 4
TRIED_MIN = 8  # or nothing was shown
KEPT_PERCENT = 95


@pytest.mark.parametrize("policy", ["default", "easy-hold"])
def test_who_changes_what_was_told_starts_then(policy: str) -> None:
    tried = kept = steps = 0
    for seed in range(SEEDS):
        twin = Twin(a_scenario(policy, seed))
        while twin.step():
            steps += 1
            change = None if steps % 3 else one_change(twin, steps)
            if change is not None:
                tried += 1
                kept += starts(twin, *change, number=tried)
    assert tried >= TRIED_MIN
    assert 100 * kept >= KEPT_PERCENT * tried, f"{kept} of {tried}"


def a_scenario(policy: str, seed: int) -> Scenario:
    sizes = tuple(
        Size(weight=1, shape=shape(nodes, gpus)) for nodes, gpus in ((1, 2), (1, 8), (2, 8), (4, 8))
    )
    drawn = Synthetic(
        jobs=200,
        gap_ms=60_000,
        run_median_ms=900_000,
        run_p90_ms=7_200_000,
        limit_factor=3.0,
        projects=1,
        sizes=sizes,
    )
    works = tuple(synthetic_works(drawn, seed=seed))
    return Scenario(nodes=gpu_site(8), workload=works, policy=POLICIES[policy], check=False)


def shape(nodes: int, gpus: int) -> Shape:
    each = Resources(milli_gpu=1000 * gpus, milli_cpu=1000 * gpus)
    return Shape(nodes_min=nodes, nodes_max=nodes, per_node=each)


def one_change(twin: Twin, number: int) -> tuple[str, CheapestChange] | None:
    """A job that waits, another one each time, and what would start it now; None where there is none."""
    state = twin.state
    snapshot = state.encoder.snapshot(twin.now_ms, hold=state.hold)
    if not snapshot.gangs.ids:
        return None
    gang = snapshot.gangs.ids[number % len(snapshot.gangs.ids)]
    told = explain(snapshot, gang, state.policy)
    change = told.cheapest_change if told else None
    return None if change is None else (gang, change)


def starts(twin: Twin, id: str, change: CheapestChange, *, number: int) -> bool:
    """Whether it starts at once, submitted again with the change."""
    job = twin.state.world.jobs[id]
    again = f"again-{number}"
    twin.machines.expect(again, 600_000)
    spec = changed(job.spec, change)
    commands: list[cycle.Input] = [
        cycle.Asked(ticket=0, command=CancelJob(id=id, by="somebody")),
        cycle.Asked(
            ticket=1,
            command=SubmitJob(
                id=again, tenant=job.tenant, project=job.project, by="somebody", spec=spec
            ),
        ),
    ]
    inputs: list[Any] = commands
    while inputs:
        inputs = [*twin._cycle(inputs)]
    return twin.state.world.jobs[again].phase is JobPhase.RUNNING


def changed(spec: JobSpec, change: CheapestChange) -> JobSpec:
    value, shape = change.after, spec.shape
    assert isinstance(value, int)
    match change.field:
        case "timeout":
            return replace(spec, timeout_s=value)
        case "gang.nodes":
            return replace(spec, shape=replace(shape, nodes_min=value, nodes_max=value))
        case "gang.gpus":
            per_node = replace(shape.per_node, milli_gpu=1000 * value)
            return replace(spec, shape=replace(shape, per_node=per_node))
        case "gang.cpus":
            per_node = replace(shape.per_node, milli_cpu=1000 * value)
            return replace(spec, shape=replace(shape, per_node=per_node))
        case _:
            raise AssertionError(change)
