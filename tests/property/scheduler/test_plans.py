"""Plans on random worlds: proven, by right, no larger than they have to be, and made where they can be."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.attempt import AttemptPhase
from gigawatt.model.gang import Isolation
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.quota import Bounds, Entitlement
from gigawatt.model.tenant import Project
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.policy import Line, Policy
from gigawatt.scheduler.prospects import Prospects
from gigawatt.scheduler.record import decision_bytes, dump, load
from gigawatt.scheduler.round import Round
from gigawatt.scheduler.victims import pick
from tests.property.scheduler.checks import faults
from tests.property.scheduler.plan_checks import (
    over_freed,
    plan_faults,
    unplanned,
    wrongly_reclaimed,
)
from tests.property.scheduler.strategies import mixtures, worlds
from tests.scenario.build import (
    NOW_MS,
    apply_starts,
    make_job,
    make_node,
    make_shape,
    make_world,
)

POLICY = Policy(preempt=True, min_run_ms=0, hold_after_ms=1 << 50)

policies = st.builds(
    Policy,
    preempt=st.booleans(),
    consolidate=st.booleans(),
    min_run_ms=st.sampled_from([0, 0, 0, 600_000]),
    moves_max=st.sampled_from([32, 32, 0, 1]),
    plans_max=st.sampled_from([8, 8, 1]),
    hold_after_ms=st.sampled_from([0, 1 << 50]),
    line=st.sampled_from([Line.BACKFILL] * 3 + list(Line)),
)


SMALL = {
    "nodes": [1, 1, 1, 1, 2, 2, 3],
    "milli_gpu": [1000, 1000, 1000, 2000, 400, 300, 700, 0],
    "milli_cpu": [1000, 1000, 500, 2000],
}
LARGE = {
    "nodes": [1, 1, 2, 2, 3, (1, 3), (2, 3)],
    "milli_gpu": [4000, 4000, 3000, 2000, 1000, 700, 0],
    "milli_cpu": [1000, 1000, 4000, 6000],
    "same": ["", "", "rack", "leaf"],
}
RACKS = ("s/h/p/l1/r1", "s/h/p/l1/r1", "s/h/p/l1/r2", "s/h/p/l2/r3", "s/h/p/l2/r3")


@st.composite
def packed(draw: st.DrawFn) -> World:
    """Nodes that are full of small gangs of different ages, and large ones that wait."""
    count = draw(st.integers(2, 5))
    cluster = [make_node(f"n{n}", gpus=4, cpus=8, place=RACKS[n]) for n in range(count)]
    small = [
        make_job(f"s{n}", make_shape(**draw(mixtures(SMALL))), project="one")
        for n in range(draw(st.integers(6, 14)))
    ]
    world = make_world(cluster, small)
    apply_starts(world, decide(encode_cold(world, NOW_MS), Policy()))
    for job in list(world.jobs.values()):
        if job.attempt is None:
            world.put(replace(job, phase=JobPhase.CANCELLED))
            continue
        ages_s = st.sampled_from([0, 60, 600, 6_000])
        began_ms = NOW_MS - 1000 * draw(ages_s)
        world.put(job.with_attempt(replace(job.attempt, placed_ms=began_ms)))
    for n in range(draw(st.integers(1, 2))):
        shape = make_shape(**draw(mixtures(LARGE)))
        alone = draw(st.sampled_from([Isolation.PROCESS] * 5 + [Isolation.NODE]))
        world.put(make_job(f"w{n}", shape, priority=10, project="one", isolation=alone))
    return world


@st.composite
def crowded(draw: st.DrawFn) -> World:
    """Gangs run that may be stopped, some that are being stopped already, and others of higher priorities wait."""
    world = draw(worlds())
    for job in list(world.jobs.values()):
        priority = 0 if job.attempt and job.attempt.live else draw(st.sampled_from([0, 10, 20, 20]))
        spec = replace(
            job.spec, priority=priority, windows=job.spec.windows if priority < 20 else ()
        )
        world.put(replace(job, spec=spec, project=draw(st.sampled_from(["one", "one", "two"]))))
    for work in [*world.jobs.values(), *world.replicas.values()]:
        attempt = work.attempt
        if attempt and attempt.live and draw(st.sampled_from([False] * 7 + [True])):
            world.put(work.with_attempt(attempt.moved(AttemptPhase.STOPPING)))
    return world


plannable = st.one_of(packed(), crowded())


@given(world=plannable, data=st.data())
def test_victims_are_found_exactly_where_enough_would_be_free(
    world: World, data: st.DataObject
) -> None:
    snapshot = encode_cold(world, NOW_MS, plans=True)
    running, turn = snapshot.running, Round(snapshot, Policy())
    assert running is not None
    prospects = Prospects(turn, running, ~running.stoppable_R)
    price_R = np.ones(len(running.gangs.ids), dtype=np.int64)
    may = st.lists(st.booleans(), min_size=len(price_R), max_size=len(price_R))
    for asked, ask in enumerate(turn.asks):
        search = prospects.search(asked, ask, price_R)
        may_R = np.array(data.draw(may), dtype=np.bool_) & running.stoppable_R
        if search is not None and not ask.stacked:
            assert prospects.enough(search, may_R) is (pick(search, may_R) is not None)


@given(world=plannable, policy=policies)
def test_a_plan_has_no_fault(world: World, policy: Policy) -> None:
    decision = decide(encode_cold(world, NOW_MS, plans=True), policy)
    assert faults(world, replace(decision, plans=(), waits=decision.waits)) == []
    assert plan_faults(world, decision) == []


@st.composite
def guaranteed(draw: st.DrawFn) -> World:
    """The same, where projects have quotas."""
    world = draw(plannable)
    for name in ("one", "two"):
        quota = Bounds(
            milli_gpu=draw(st.sampled_from([None, 0, 1000, 4000, 8000])),
            milli_cpu=draw(st.sampled_from([None, None, 2000, 8000])),
        )
        project = Project(id=f"default/{name}", tenant="default", name=name, created_ms=0)
        world.put(replace(project, entitlement=Entitlement(quota=quota)))
    for job in [each for each in world.jobs.values() if each.phase is JobPhase.QUEUED]:
        world.put(replace(job, project=draw(st.sampled_from(["one", "two"]))))
    return world


@given(world=guaranteed(), others=st.booleans())
def test_what_is_reclaimed_was_borrowed_and_is_owed(world: World, others: bool) -> None:  # noqa: FBT001 - drawn
    policy = replace(POLICY, preempt=others, consolidate=others, reclaim=True)
    decision = decide(encode_cold(world, NOW_MS, plans=True), policy)
    assert plan_faults(world, decision) == []
    assert list(wrongly_reclaimed(world, decision)) == []


@given(world=plannable, policy=st.sampled_from([POLICY, replace(POLICY, consolidate=True)]))
def test_every_victim_of_a_plan_is_needed(world: World, policy: Policy) -> None:
    assert list(over_freed(world, decide(encode_cold(world, NOW_MS, plans=True), policy))) == []


@given(world=plannable)
def test_the_first_of_the_line_is_planned_for_if_lower_ones_of_its_project_have_what_it_needs(
    world: World,
) -> None:
    assert list(unplanned(world, decide(encode_cold(world, NOW_MS, plans=True), POLICY))) == []


@given(world=plannable)
def test_without_a_setting_nothing_is_planned(world: World) -> None:
    with_runs, without = encode_cold(world, NOW_MS, plans=True), encode_cold(world, NOW_MS)
    decision = decide(with_runs, Policy())
    assert decision.plans == ()
    assert decision_bytes(decision) == decision_bytes(decide(without, Policy()))


@given(world=plannable, policy=policies)
def test_a_recorded_cycle_with_plans_is_decided_again_to_the_same_bytes(
    world: World, policy: Policy
) -> None:
    snapshot = encode_cold(world, NOW_MS, plans=True)
    recorded = dump(snapshot, policy)
    again = load(recorded)
    assert dump(*again) == recorded
    assert decision_bytes(decide(*again)) == decision_bytes(decide(snapshot, policy))
    assert dump(snapshot, policy) == recorded


def test_the_random_worlds_do_lead_to_plans() -> None:
    """Or nothing above would have been checked."""
    counts = {"plans": 0, "moves": 0, "wide": 0, "reclaimed": 0}

    @given(world=guaranteed())
    def reclaimed(world: World) -> None:
        policy = replace(POLICY, preempt=False, reclaim=True)
        counts["reclaimed"] += len(decide(encode_cold(world, NOW_MS, plans=True), policy).plans)

    @given(world=plannable)
    def count(world: World) -> None:
        policy = replace(POLICY, consolidate=True)
        for plan in decide(encode_cold(world, NOW_MS, plans=True), policy).plans:
            counts["plans"] += 1
            counts["moves"] += plan.claim.moved
            counts["wide"] += any(
                isinstance(work := world.jobs.get(victim.gang), Job)
                and work.attempt is not None
                and len(work.attempt.nodes) > 1
                for victim in plan.victims
            )

    count()
    reclaimed()
    assert min(counts.values()) > 0, counts
