"""Safety and liveness of every decision, on worlds in which gangs already run, nodes changed and others wait."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.attempt import AttemptPhase
from gigawatt.model.gang import Window
from gigawatt.model.job import Job
from gigawatt.model.node import Node, NodeState
from gigawatt.model.reason import ReasonCode
from gigawatt.model.world import World
from gigawatt.scheduler.ask import ask_of
from gigawatt.scheduler.decide import decide, in_line
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.policy import Line, Policy
from gigawatt.scheduler.record import decision_bytes, dump
from tests.property.scheduler.checks import (
    carried_out,
    faults,
    holds,
    missed,
    not_held,
    places_now,
    started,
    together,
    waiting,
)
from tests.property.scheduler.strategies import clusters, policies, waiting_jobs, worlds
from tests.scenario.build import NOW_MS, make_world

NEVER_HOLD_MS = 1 << 50


@given(world=worlds(), policy=policies)
def test_a_decision_has_no_fault(world: World, policy: Policy) -> None:
    assert faults(world, decide(encode_cold(world, NOW_MS), policy)) == []


@given(world=worlds(), policy=policies)
def test_no_gang_waits_for_nodes_that_are_free_for_it(world: World, policy: Policy) -> None:
    assert list(missed(world, decide(encode_cold(world, NOW_MS), policy), NOW_MS)) == []


@given(world=worlds(), hold_after_ms=st.sampled_from([0, 1_000]))
def test_nodes_that_a_gang_waits_for_too_long_go_to_none_behind_it(
    world: World, hold_after_ms: int
) -> None:
    decision = decide(encode_cold(world, NOW_MS), Policy(hold_after_ms=hold_after_ms))
    assert list(not_held(world, decision, NOW_MS, hold_after_ms)) == []


@given(world=worlds(), policy=policies)
def test_in_strict_order_nothing_starts_behind_a_gang_that_waits(
    world: World, policy: Policy
) -> None:
    snapshot = encode_cold(world, NOW_MS)
    decision = decide(snapshot, replace(policy, line=Line.FIFO, steps_max=1_000))
    ids = [snapshot.gangs.ids[int(row)] for row in in_line(snapshot.gangs, Policy())]
    places = {gang: place for place, gang in enumerate(ids)}
    asked = {name: ask_of(gang) for name, gang in waiting(world).items()}
    tried = [wait.gang for wait in decision.waits if asked[wait.gang].may_run(NOW_MS)]
    first = min((places[gang] for gang in tried), default=len(ids))
    assert all(places[start.gang] < first for start in decision.starts)


@given(world=worlds(), policy=policies)
def test_what_is_started_does_not_delay_the_hold_of_the_first_that_waits(
    world: World, policy: Policy
) -> None:
    decision = decide(encode_cold(world, NOW_MS), replace(policy, line=Line.EASY))
    hold = decision.hold
    if hold is None:
        return
    after = carried_out(world, decision)
    for work in [*after.jobs.values(), *after.replicas.values()]:
        limit_ms = work.spec.timeout_s * 1000 if isinstance(work, Job) else 0
        attempt = work.attempt
        if attempt and attempt.live and limit_ms and attempt.placed_ms + limit_ms <= hold.at_ms:
            after.put(work.with_attempt(attempt.moved(AttemptPhase.ENDED)))
    gang = waiting(world)[hold.gang]
    fit = [
        node
        for node in after.nodes.values()
        if node.state is NodeState.READY
        for _ in range(places_now(after, node, gang))
    ]
    assert together(fit, gang.shape)


@given(nodes=clusters(), job=waiting_jobs("alone"))
def test_a_gang_alone_in_an_idle_cluster_starts_if_the_open_nodes_can_hold_it(
    nodes: list[Node], job: Job
) -> None:
    job = replace(job, spec=replace(job.spec, windows=()))
    decision = decide(encode_cold(make_world(nodes, [job]), NOW_MS), Policy())
    open_nodes = [node for node in nodes if node.state is NodeState.READY]
    assert bool(decision.starts) == holds(open_nodes, job.spec.shape)


@given(world=worlds(), policy=policies)
def test_what_is_behind_a_gang_changes_nothing_for_it(world: World, policy: Policy) -> None:
    policy = replace(policy, steps_max=1_000)
    snapshot = encode_cold(world, NOW_MS)
    order = [snapshot.gangs.ids[int(row)] for row in in_line(snapshot.gangs, Policy())]
    whole = started(decide(snapshot, policy))
    for cut in range(len(order)):
        ahead = make_world(world.nodes.values(), [])
        for work in (*world.jobs.values(), *world.replicas.values()):
            if work.id not in order[cut:]:
                ahead.put(work)
        part = started(decide(encode_cold(ahead, NOW_MS), policy))
        assert part == {gang: start for gang, start in whole.items() if gang in order[:cut]}


@given(world=worlds(), policy=policies)
def test_deciding_again_once_the_decision_is_carried_out_starts_nothing(
    world: World, policy: Policy
) -> None:
    policy = replace(policy, steps_max=1_000)
    after = carried_out(world, decide(encode_cold(world, NOW_MS), policy))
    assert decide(encode_cold(after, NOW_MS), policy).starts == ()


@given(world=worlds(), steps_max=st.integers(1, 4))
def test_with_little_work_a_cycle_every_gang_that_fits_starts_after_some_cycles(
    world: World, steps_max: int
) -> None:
    policy, resume = Policy(steps_max=steps_max, hold_after_ms=NEVER_HOLD_MS), ""
    for _ in range(2 * len(waiting(world)) + 1):
        decision = decide(encode_cold(world, NOW_MS, resume=resume), policy)
        assert decision.steps <= steps_max
        assert faults(world, decision) == []
        world, resume = carried_out(world, decision), decision.resume
    last = decide(encode_cold(world, NOW_MS), Policy(hold_after_ms=NEVER_HOLD_MS))
    assert last.starts == ()


@given(world=worlds(), policy=policies, order=st.integers(0, 1 << 30))
def test_a_decision_does_not_depend_on_the_order_of_the_world(
    world: World, policy: Policy, order: int
) -> None:
    entities = [*world.nodes.values(), *world.jobs.values(), *world.replicas.values()]
    Random(order).shuffle(entities)
    shuffled = World(epoch=1)
    for entity in entities:
        shuffled.put(entity)
    snapshot, other = encode_cold(world, NOW_MS), encode_cold(shuffled, NOW_MS)
    assert dump(snapshot, policy) == dump(other, policy)
    assert decision_bytes(decide(snapshot, policy)) == decision_bytes(decide(other, policy))


@given(world=worlds(), policy=policies)
def test_a_decision_writes_nothing_into_its_snapshot(world: World, policy: Policy) -> None:
    snapshot = encode_cold(world, NOW_MS)
    before = dump(snapshot, policy)
    decide(snapshot, policy)
    assert dump(snapshot, policy) == before


@given(world=worlds())
def test_outside_its_windows_a_gang_waits_and_keeps_nothing(world: World) -> None:
    later = (Window(start_ms=NOW_MS + 1),)
    jobs = [
        replace(job, spec=replace(job.spec, windows=later), queued_ms=0)
        for job in world.jobs.values()
    ]
    for job in jobs:
        world.put(job)
    decision = decide(encode_cold(world, NOW_MS), Policy())
    assert not {job.id for job in jobs} & started(decision).keys()
    assert ReasonCode.HELD_FOR_HEAD not in {wait.reason.code for wait in decision.waits}
