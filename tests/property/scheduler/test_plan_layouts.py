"""Plans for gangs with segments and spread, and where watts are what lacks."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.attempt import AttemptPhase
from gigawatt.model.decision import Decision, Start
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.plan import Plan
from gigawatt.model.power import CORE_WATTS, Feed, Supply
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.policy import Policy
from tests.property.scheduler.checks import waiting
from tests.property.scheduler.layouts import LAYOUTS, RACKS, misplaced, possible
from tests.property.scheduler.plan_checks import plan_faults
from tests.scenario.build import NOW_MS, apply_starts, make_job, make_node, make_shape, make_world

POLICY = Policy(preempt=True, min_run_ms=0, hold_after_ms=1 << 50)
NODES_MAX = 8


@st.composite
def crowded(draw: st.DrawFn) -> World:
    """Racks that are full of small gangs on one or two nodes, some of which may not be stopped; one waits with a layout."""
    places = draw(st.lists(st.sampled_from(RACKS), min_size=3, max_size=NODES_MAX))
    nodes = [make_node(f"n{n}", cpus=2, place=place) for n, place in enumerate(places)]
    small = [
        make_job(
            f"s{n}",
            make_shape(draw(st.sampled_from([1, 1, 1, 2])), milli_cpu=draw(cores)),
            priority=draw(st.sampled_from([0, 0, 0, 9])),
        )
        for n in range(draw(st.integers(1, 14)))
    ]
    world = make_world(nodes, small)
    apply_starts(world, decide(encode_cold(world, NOW_MS), Policy()))
    for job in [each for each in world.jobs.values() if each.attempt is None]:
        world.put(replace(job, phase=JobPhase.CANCELLED))
    shape = draw(st.sampled_from(LAYOUTS))
    per_node = replace(shape.per_node, milli_cpu=draw(cores))
    world.put(make_job("asked", replace(shape, per_node=per_node), priority=9))
    return world


cores = st.sampled_from([1000, 2000])


@st.composite
def powered(draw: st.DrawFn) -> World:
    """The same, with caps on two rows and on the site above them."""
    world = draw(crowded())
    caps = st.sampled_from([None, 8, 16, 24])
    rows = {"row-a": "l1", "row-b": "l2"}
    for name, leaf in (*rows.items(), ("site", "")):
        cap = draw(caps)
        supply = (Supply(level="leaf", name=leaf),) if leaf else ()
        world.put(
            Feed(
                id=name,
                parent="site" if leaf else "",
                cap_milliwatts=None if cap is None else 1000 * cap,
                supplies=supply,
                created_ms=0,
            )
        )
    return world


def planned(world: World) -> tuple[Decision, Plan | None]:
    decision = decide(encode_cold(world, NOW_MS, plans=True), POLICY)
    return decision, next(iter(decision.plans), None)


def without(world: World, gone: set[str]) -> World:
    kept = [each for each in world.jobs.values() if each.id not in gone]
    after = make_world(world.nodes.values(), kept)
    for feed in world.feeds.values():
        after.put(feed)
    return after


def stoppable(world: World) -> set[str]:
    return {
        job.id
        for job in world.jobs.values()
        if job.spec.priority < 9 and job.attempt and job.attempt.live
    }


def starts_alone(world: World, gone: set[str]) -> Start | None:
    """Where the gang goes once those have gone."""
    found = decide(encode_cold(without(world, gone), NOW_MS), Policy(hold_after_ms=1 << 50))
    return next((start for start in found.starts if start.gang == "asked"), None)


def as_start(plan: Plan) -> Start:
    own = len(plan.claim.nodes) - plan.claim.spares
    return Start(
        gang=plan.gang, nodes=plan.claim.nodes[:own], spares=plan.claim.nodes[own:], gpus=()
    )


@given(world=crowded())
def test_a_plan_is_made_exactly_where_enough_could_go_and_is_laid_out_as_asked(
    world: World,
) -> None:
    decision, plan = planned(world)
    started = any(start.gang == "asked" for start in decision.starts)
    could = possible(without(world, stoppable(world)), _shape(world))
    assert (started or plan is not None) == could
    if plan is not None:
        assert [each for each in plan_faults(world, decision) if "planned" in each] == []
        gone = {victim.gang for victim in plan.victims}
        assert gone <= stoppable(world)
        after = without(world, gone)
        assert list(misplaced(after, Decision(starts=(as_start(plan),), waits=(), steps=0))) == []


@given(world=st.one_of(crowded(), powered()))
def test_each_victim_is_needed_where_the_gang_is_to_go(world: World) -> None:
    _, plan = planned(world)
    if plan is None:
        return
    gone = {victim.gang for victim in plan.victims}
    assert gone
    for spared in gone:
        after = without(world, gone - {spared})
        for node in [each for each in after.nodes.values() if each.id not in plan.claim.nodes]:
            del after.nodes[node.id]
        held = {each.id for each in after.nodes.values()}
        assert not _fits_all(world, after, held, _shape(world), gone - {spared})


@given(world=powered())
def test_where_watts_are_what_lacks_those_go_that_draw_them(world: World) -> None:
    decision, plan = planned(world)
    started = any(start.gang == "asked" for start in decision.starts)
    could = starts_alone(world, stoppable(world)) is not None
    assert (started or plan is not None) == could
    if plan is not None:
        gone = {victim.gang for victim in plan.victims}
        after = drawn(world, gone)
        for node in plan.claim.nodes:
            for feed in above(world, node):
                after[feed] += _shape(world).per_node.milli_cpu * CORE_WATTS
        over = [
            feed
            for node in plan.claim.nodes
            for feed in above(world, node)
            if (cap := world.feeds[feed].cap_milliwatts) is not None and after[feed] > cap
        ]
        assert over == []


@given(world=st.one_of(crowded(), powered()))
def test_what_was_planned_starts_on_it_once_the_victims_have_gone_and_nothing_is_planned_anew(
    world: World,
) -> None:
    _, plan = planned(world)
    if plan is None:
        return
    for victim in plan.victims:
        job = world.jobs[victim.gang]
        assert job.attempt
        moved = job.attempt.moved(AttemptPhase.STOPPING)
        world.put(
            replace(job.with_attempt(replace(moved, stopped_for="asked")), claim=victim.claim)
        )
    world.put(replace(world.jobs["asked"], claim=plan.claim))
    again, more = planned(world)
    assert more is None
    assert not any(start.gang == "asked" for start in again.starts)
    for victim in plan.victims:
        job = world.jobs[victim.gang]
        assert job.attempt
        ended = replace(job.attempt.moved(AttemptPhase.ENDED), ended_ms=NOW_MS)
        world.put(replace(job.with_attempt(ended), phase=JobPhase.QUEUED))
    last, more = planned(world)
    assert more is None
    start = next(each for each in last.starts if each.gang == "asked")
    assert {*start.nodes, *start.spares} == set(plan.claim.nodes)


def test_the_worlds_do_lead_to_plans_of_each_kind() -> None:
    """Or nothing above would have been checked."""
    counts: Counter[str] = Counter()

    @given(world=crowded())
    def count(world: World) -> None:
        _, plan = planned(world)
        shape = _shape(world)
        counts["segments"] += plan is not None and shape.segment is not None
        counts["spread"] += plan is not None and shape.spread is not None
        counts["spares"] += plan is not None and shape.spares > 0

    @given(world=powered())
    def count_watts(world: World) -> None:
        _, plan = planned(world)
        if plan is not None:
            held = {node for job in _victims(world, plan) for node in _nodes(job)}
            counts["watts alone"] += not held & set(plan.claim.nodes)

    count()
    count_watts()
    kinds = ("segments", "spread", "spares", "watts alone")
    assert all(counts[kind] for kind in kinds), counts


def _victims(world: World, plan: Plan) -> list[Job]:
    return [world.jobs[victim.gang] for victim in plan.victims]


def _nodes(job: Job) -> tuple[str, ...]:
    return job.attempt.held if job.attempt else ()


def _shape(world: World) -> Shape:
    return waiting(world)["asked"].shape


def drawn(world: World, gone: set[str]) -> Counter[str]:
    """Milliwatts through each feed without those, for nodes without GPUs."""
    found: Counter[str] = Counter()
    for job in world.jobs.values():
        if job.attempt and job.attempt.live and job.id not in gone:
            for node in job.attempt.held:
                for feed in above(world, node):
                    found[feed] += job.spec.shape.per_node.milli_cpu * CORE_WATTS
    return found


def above(world: World, node: str) -> list[str]:
    leaf = world.nodes[node].report.topology[3]
    feed = {"l1": "row-a", "l2": "row-b"}.get(leaf)
    return [feed, "site"] if world.feeds and feed else []


def _fits_all(world: World, after: World, held: set[str], shape: Shape, gone: set[str]) -> bool:
    """Whether all of these nodes have room for it, and the feeds above them the watts."""
    free = {node.id: node.report.total.milli_cpu for node in after.nodes.values()}
    for job in after.jobs.values():
        if job.attempt and job.attempt.live:
            for node in job.attempt.held:
                if node in free:
                    free[node] -= job.spec.shape.per_node.milli_cpu
    sums = drawn(world, gone)
    for node in held:
        for feed in above(world, node):
            sums[feed] += shape.per_node.milli_cpu * CORE_WATTS
    caps = {feed.id: feed.cap_milliwatts for feed in world.feeds.values()}
    within = all(
        (cap := caps[feed]) is None or sums[feed] <= cap
        for node in held
        for feed in above(world, node)
    )
    return within and all(free[node] >= shape.per_node.milli_cpu for node in held)
