"""Explanations and dry runs say what the decision itself then does."""

from dataclasses import replace

from hypothesis import given

from gigawatt.model.decision import Start
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job
from gigawatt.model.reason import ReasonCode
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.dry_run import feasible, what_if, with_gang
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.explain import CheapestChange, explain
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.record import dump
from tests.property.scheduler.checks import NEVER, holds, started, waiting
from tests.property.scheduler.strategies import policies, waiting_jobs, worlds
from tests.scenario.build import NOW_MS


@given(world=worlds(), policy=policies)
def test_an_explanation_is_what_the_decision_says(world: World, policy: Policy) -> None:
    snapshot = encode_cold(world, NOW_MS)
    decision = decide(snapshot, policy)
    starts, waits = started(decision), {wait.gang: wait for wait in decision.waits}
    for gang in waiting(world):
        told = explain(snapshot, gang, policy)
        assert told
        assert told.start == starts.get(gang)
        if gang in waits:
            assert (told.position, told.reason) == (waits[gang].position, waits[gang].reason)


@given(world=worlds(), policy=policies)
def test_a_gang_starts_once_its_cheapest_change_is_made(world: World, policy: Policy) -> None:
    snapshot = encode_cold(world, NOW_MS)
    for gang in waiting(world).values():
        told = explain(snapshot, gang.id, policy)
        assert told
        if told.cheapest_change is not None:
            change = told.cheapest_change
            changed = replace(gang, shape=with_change(gang.shape, change))
            if change.field == "timeout":
                assert isinstance(change.after, int)
                changed = replace(gang, duration_ms=1000 * change.after)
            assert isinstance(what_if(snapshot, changed, policy), Start)


@given(world=worlds(), policy=policies, job=waiting_jobs("one-more"))
def test_a_dry_run_says_what_submitting_would_do(world: World, policy: Policy, job: Job) -> None:
    snapshot = encode_cold(world, NOW_MS)
    told = what_if(snapshot, job.gang(), policy)
    world.put(job)
    with_job = encode_cold(world, NOW_MS)
    assert dump(with_gang(snapshot, job.gang()), policy) == dump(with_job, policy)
    decision = decide(with_job, policy)
    waits = {wait.gang: wait.reason for wait in decision.waits}
    assert told == started(decision).get(job.id, waits.get(job.id))


@given(world=worlds(), policy=policies)
def test_putting_a_gang_into_the_line_again_changes_no_decision(
    world: World, policy: Policy
) -> None:
    snapshot = encode_cold(world, NOW_MS)
    for gang in waiting(world).values():
        assert decide(with_gang(snapshot, gang), policy) == decide(snapshot, policy)


@given(world=worlds(), job=waiting_jobs("one-more"))
def test_a_gang_is_feasible_if_the_empty_cluster_holds_it(world: World, job: Job) -> None:
    told = feasible(encode_cold(world, NOW_MS), job.gang())
    assert told == feasible(world, job.gang())
    assert (told is None) == holds(world.nodes.values(), job.spec.shape)
    assert told is None or (told.code in NEVER and told.have < told.need)
    assert (told is not None and told.code is ReasonCode.NO_NODES) == (not world.nodes)


def with_change(shape: Shape, change: CheapestChange) -> Shape:
    """The shape as a person would have asked for it after the change."""
    match change.field, change.after:
        case "gang.same", str(level):
            return replace(shape, same=level)
        case "gang.gpu_kinds", tuple(kinds):
            return replace(shape, gpu_kinds=kinds)
        case "gang.nodes", int(count):
            return replace(shape, nodes_min=count, nodes_max=count)
        case "gang.nodes.min", int(count):
            return replace(shape, nodes_min=count)
        case "gang.memory", int(amount):
            return replace(shape, per_node=replace(shape.per_node, memory_bytes=amount))
        case "gang.cpus", int(amount) | float(amount):
            return replace(shape, per_node=replace(shape.per_node, milli_cpu=round(amount * 1000)))
        case "gang.gpus", int(amount) | float(amount):
            return replace(shape, per_node=replace(shape.per_node, milli_gpu=round(amount * 1000)))
        case "timeout", int():
            return shape
        case _:
            raise AssertionError(change)
