"""No decision puts gangs together that keep apart, whichever came first, and none keeps a gang waiting without need."""

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.attempt import AttemptPhase
from gigawatt.model.gang import Apart
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.node import TOPOLOGY_LEVELS, Node
from gigawatt.model.reason import ReasonCode
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide, finish
from gigawatt.scheduler.dry_run import what_if
from gigawatt.scheduler.encode import Encoder, encode_cold
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.record import decision_bytes, dump, load
from tests.property.scheduler.checks import carried_out, places_now, together
from tests.scenario.build import NOW_MS, make_job, make_node, make_shape, make_world

PLACES = ("s/h/p/l1/r1", "s/h/p/l1/r2", "s/h/p/l2/r3", "")
LABELS = [(), (), (("app", "a"),), (("app", "a"), ("tier", "1")), (("app", "b"),)]
FROM_A, FROM_B = (("app", "a"),), (("app", "b"),)
KEEPS = [
    (),
    (),
    (Apart(labels=FROM_A),),
    (Apart(labels=FROM_A, level="rack"),),
    (Apart(labels=FROM_B, level="leaf"), Apart(labels=(("app", "a"), ("tier", "1")))),
]


@st.composite
def jobs(draw: st.DrawFn, name: str) -> Job:
    shape = make_shape(
        draw(st.sampled_from([1, 1, 2])), milli_cpu=draw(st.sampled_from([500, 1000]))
    )
    shape = replace(shape, apart=draw(st.sampled_from(KEEPS)))
    job = make_job(name, shape, project=draw(st.sampled_from(["one", "one", "two"])))
    return replace(job, spec=replace(job.spec, labels=draw(st.sampled_from(LABELS))))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A few nodes on which some jobs run, whoever they are beside, and others that wait."""
    count = draw(st.integers(1, 6))
    places = draw(st.lists(st.sampled_from(PLACES), min_size=count, max_size=count))
    nodes = [make_node(f"n{n}", cpus=2, place=place) for n, place in enumerate(places)]
    world = make_world(nodes, [draw(jobs(f"old-{n}")) for n in range(draw(st.integers(0, 3)))])
    world = carried_out(world, decide(encode_cold(world, NOW_MS), Policy()))
    for n in range(draw(st.integers(1, 4))):
        world.put(draw(jobs(f"new-{n}")))
    return world


def running(world: World) -> Iterator[tuple[Job, tuple[Node, ...]]]:
    for job in world.jobs.values():
        if job.attempt is not None and job.attempt.live:
            yield job, tuple(world.nodes[node] for node in job.attempt.nodes)


def level_against(one: Job, other: Job) -> list[str]:
    """The levels at which the first keeps apart from the other."""
    if one.project != other.project or one.id == other.id:
        return []
    worn = set(other.spec.labels)
    return [term.level for term in one.spec.shape.apart if set(term.labels) <= worn]


def meet(one: Node, other: Node, level: str) -> bool:
    depth = TOPOLOGY_LEVELS.index(level)
    known = one.report.topology[depth] and other.report.topology[depth]
    paths = one.report.topology[: depth + 1], other.report.topology[: depth + 1]
    return one.id == other.id or bool(known and paths[0] == paths[1])


def barred(world: World, job: Job, node: Node) -> bool:
    """Whether the job may not be on the node for what runs somewhere."""
    return any(
        meet(node, there, level)
        for other, nodes in running(world)
        for level in (*level_against(job, other), *level_against(other, job))
        for there in nodes
    )


@given(world=worlds())
def test_nothing_starts_beside_what_it_keeps_apart_from_or_what_keeps_apart_from_it(
    world: World,
) -> None:
    decision = decide(encode_cold(world, NOW_MS), Policy())
    after = carried_out(world, decision)
    for start in decision.starts:
        job = after.jobs[start.gang]
        assert not [node for node in start.nodes if barred(after, job, after.nodes[node])]


@given(world=worlds())
def test_what_waits_has_no_place_that_is_not_barred(world: World) -> None:
    decision = decide(encode_cold(world, NOW_MS), Policy(hold_after_ms=1 << 50))
    after = carried_out(world, decision)
    for wait in decision.waits:
        job = after.jobs[wait.gang]
        fit = [node for node in after.nodes.values() if places_now(after, node, job.gang())]
        free = [node for node in fit if not barred(after, job, node)]
        assert not together(free, job.spec.shape)
        kept = wait.reason.code is ReasonCode.APART
        assert kept == together(fit, job.spec.shape)
        assert wait.reason.have < wait.reason.need


@given(world=worlds(), data=st.data())
def test_an_encoder_that_follows_changes_equals_one_from_scratch(
    world: World, data: st.DataObject
) -> None:
    encoder = Encoder(indexed_from=1)
    for table in (world.nodes, world.jobs):
        for entity in table.values():
            encoder.apply(entity)
    for _ in range(data.draw(st.integers(0, 3))):
        job = world.jobs[data.draw(st.sampled_from(sorted(world.jobs)))]
        labels = data.draw(st.sampled_from(LABELS))
        job = replace(job, spec=replace(job.spec, labels=labels))
        if job.attempt is not None and job.attempt.live and data.draw(st.booleans()):
            job = job.with_attempt(job.attempt.moved(AttemptPhase.ENDED))
            job = replace(job, phase=JobPhase.QUEUED)
        world.put(job)
        encoder.apply(job)
        snapshot, cold = encoder.snapshot(NOW_MS), encode_cold(world, NOW_MS)
        assert dump(snapshot, Policy()) == dump(cold, Policy())
        again, _ = load(dump(cold, Policy()))
        indexed = finish(snapshot, Policy(), encoder.memo).decision()
        assert decision_bytes(indexed) == decision_bytes(decide(again, Policy()))


@given(world=worlds(), job=jobs("asked"))
def test_what_would_be_is_what_is_once_it_is_asked(world: World, job: Job) -> None:
    encoder = Encoder.of(world)
    asked = what_if(encoder.snapshot(NOW_MS, labels=True), job.gang(), Policy())
    world.put(job)
    decision = decide(encode_cold(world, NOW_MS), Policy())
    told = [*decision.starts, *[wait.reason for wait in decision.waits if wait.gang == job.id]]
    assert asked in told
