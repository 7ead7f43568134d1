"""Nothing starts where others have nodes set aside, nothing is kept from any other node, and all ways agree on it."""

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.job import Job
from gigawatt.model.reason import ReasonCode
from gigawatt.model.reservation import Reservation, ReservationPhase, holds_for
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide, finish
from gigawatt.scheduler.dry_run import what_if
from gigawatt.scheduler.encode import Encoder, encode_cold
from gigawatt.scheduler.explain import explain
from gigawatt.scheduler.policy import Line, Policy
from gigawatt.scheduler.record import decision_bytes, dump, load
from tests.property.scheduler.checks import carried_out, places_now, together
from tests.scenario.build import NOW_MS, make_job, make_node, make_shape, make_world

NODES = ("n0", "n1", "n2", "n3")
MINUTE_MS = 60_000
STARTS = [NOW_MS - MINUTE_MS, NOW_MS, NOW_MS + 5 * MINUTE_MS, NOW_MS + 3_600_000]
POLICIES = [Policy(), Policy(hold_after_ms=0), *[Policy(line=line) for line in Line]]


@st.composite
def reservations(draw: st.DrawFn, name: str) -> Reservation:
    start_ms = draw(st.sampled_from(STARTS))
    return Reservation(
        id=name,
        created_ms=0,
        nodes=tuple(sorted(draw(st.sets(st.sampled_from(NODES), min_size=1)))),
        start_ms=start_ms,
        end_ms=start_ms + draw(st.sampled_from([1, 10, 90])) * MINUTE_MS,
        holder=draw(st.sampled_from(["", "default", "default/one", "default/two", "other"])),
        lead_ms=draw(st.sampled_from([MINUTE_MS, 10 * MINUTE_MS])),
        phase=draw(st.sampled_from([ReservationPhase.PLANNED] * 5 + [ReservationPhase.ENDED])),
    )


@st.composite
def jobs(draw: st.DrawFn, name: str) -> Job:
    nodes = draw(st.sampled_from([1, 1, 2, 3, (1, 3)]))
    return make_job(
        name,
        make_shape(nodes, milli_cpu=draw(st.sampled_from([500, 2000]))),
        project=draw(st.sampled_from(["one", "two"])),
        timeout_s=draw(st.sampled_from([0, 60, 400, 7200])),
        queued_ms=NOW_MS - draw(st.sampled_from([0, 700_000])),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Some jobs run already, wherever they are; others wait; nodes are set aside."""
    old = [draw(jobs(f"old-{n}")) for n in range(draw(st.integers(0, 2)))]
    world = make_world([make_node(node, cpus=2) for node in NODES], old)
    world = carried_out(world, decide(encode_cold(world, NOW_MS), Policy()))
    for n in range(draw(st.integers(1, 4))):
        world.put(draw(jobs(f"new-{n}")))
    for n in range(draw(st.integers(0, 3))):
        world.put(draw(reservations(f"r{n}")))
    return world


def barred(world: World, job: Job, node: str) -> bool:
    """Whether somebody else has the node set aside for any of the time in which the job could run."""
    for each in world.reservations.values():
        if node not in each.nodes or holds_for(each.holder, f"{job.tenant}/{job.project}"):
            continue
        until_ms = NOW_MS + (job.spec.timeout_s * 1000 or each.lead_ms)
        if each.start_ms < until_ms and each.end_ms > NOW_MS:
            return True
    return False


@given(world=worlds(), policy=st.sampled_from(POLICIES))
def test_nothing_starts_where_others_have_nodes_set_aside(world: World, policy: Policy) -> None:
    for start in decide(encode_cold(world, NOW_MS), policy).starts:
        assert not [node for node in start.nodes if barred(world, world.jobs[start.gang], node)]


@given(world=worlds())
def test_what_waits_has_no_place_that_nobody_else_has_set_aside(world: World) -> None:
    decision = decide(encode_cold(world, NOW_MS), Policy(hold_after_ms=1 << 50))
    after = carried_out(world, decision)
    for wait in decision.waits:
        job = after.jobs[wait.gang]
        fit = [node for node in after.nodes.values() if places_now(after, node, job.gang())]
        free = [node for node in fit if not barred(world, job, node.id)]
        assert not together(free, job.spec.shape)
        reserved = wait.reason.code is ReasonCode.RESERVED
        assert reserved == together(fit, job.spec.shape)
        assert wait.reason.have < wait.reason.need


@given(world=worlds(), data=st.data(), policy=st.sampled_from(POLICIES))
def test_an_encoder_that_follows_changes_equals_one_from_scratch(
    world: World, data: st.DataObject, policy: Policy
) -> None:
    encoder = Encoder(indexed_from=1)
    for table in (world.nodes, world.jobs, world.reservations):
        for entity in table.values():
            encoder.apply(entity)
    for _ in range(data.draw(st.integers(0, 3))):
        changed = data.draw(reservations(data.draw(st.sampled_from(["r0", "r1", "r9"]))))
        world.put(changed)
        assert encoder.apply(changed)
        snapshot, cold = encoder.snapshot(NOW_MS), encode_cold(world, NOW_MS)
        assert dump(snapshot, policy) == dump(cold, policy)
        again, _ = load(dump(cold, policy))
        indexed = finish(snapshot, policy, encoder.memo).decision()
        assert decision_bytes(indexed) == decision_bytes(decide(again, policy))


@given(world=worlds(), job=jobs("asked"))
def test_what_would_be_is_what_is_once_it_is_asked(world: World, job: Job) -> None:
    asked = what_if(encode_cold(world, NOW_MS), job.gang(), Policy())
    world.put(job)
    decision = decide(encode_cold(world, NOW_MS), Policy())
    told = [*decision.starts, *[wait.reason for wait in decision.waits if wait.gang == job.id]]
    assert asked in told


@given(world=worlds())
def test_a_shorter_limit_that_is_proposed_lets_it_start(world: World) -> None:
    snapshot = encode_cold(world, NOW_MS)
    for wait in decide(snapshot, Policy()).waits:
        told = explain(snapshot, wait.gang, Policy())
        change = told.cheapest_change if told else None
        if change is None or change.field != "timeout":
            continue
        assert isinstance(change.after, int)
        job = world.jobs[wait.gang]
        changed = make_job(
            job.id,
            job.spec.shape,
            project=job.project,
            timeout_s=change.after,
            queued_ms=job.queued_ms or 0,
        )
        after = make_world(world.nodes.values(), [*world.jobs.values(), changed])
        for each in world.reservations.values():
            after.put(each)
        starts = decide(encode_cold(after, NOW_MS), Policy()).starts
        assert wait.gang in {start.gang for start in starts}
