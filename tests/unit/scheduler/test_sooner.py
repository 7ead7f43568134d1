"""Changes that would start a gang sooner, now or later."""

from dataclasses import replace

from gigawatt.model.gang import Gang
from gigawatt.model.job import JobPhase
from gigawatt.scheduler.durations import Likeness
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.estimates import Estimates
from gigawatt.scheduler.explain import CheapestChange, explain
from gigawatt.scheduler.outlook import likeness
from gigawatt.scheduler.policy import POLICIES, Policy
from gigawatt.scheduler.snapshot import Snapshot
from gigawatt.scheduler.sooner import candidates, soonest
from tests.scenario.build import NOW_MS, make_attempt, make_job, make_node, make_shape, make_world

HOUR_S, HOUR_MS = 3_600, 3_600_000


def a_line_with_a_hold() -> Snapshot:
    """One node is busy for an hour, and the head of the line waits for it and the other; `j` would be too long."""
    node, other = make_node("n", cpus=4), make_node("o", cpus=4)
    attempt = replace(make_attempt([node]), running_ms=NOW_MS)
    busy = make_job(
        "r",
        make_shape(milli_cpu=4000),
        attempts=(attempt,),
        phase=JobPhase.RUNNING,
        timeout_s=HOUR_S,
    )
    wide = make_job("wide", make_shape(2, milli_cpu=4000), timeout_s=HOUR_S)
    late = make_job("x", make_shape(milli_cpu=4000), queued_ms=NOW_MS + 1, timeout_s=2 * HOUR_S)
    return encode_cold(make_world([node, other], [busy, wide, late]), NOW_MS)


def test_a_shorter_limit_lets_it_in_before_the_hold() -> None:
    told = explain(a_line_with_a_hold(), "x", POLICIES["easy-hold"])
    assert told
    assert told.cheapest_change == CheapestChange(field="timeout", before=2 * HOUR_S, after=57 * 60)


def test_a_limit_that_gangs_like_it_would_hit_is_not_offered() -> None:
    told = explain(a_line_with_a_hold(), "x", POLICIES["easy-hold"], likely_ms=2 * HOUR_MS)
    assert told
    assert told.cheapest_change is None


def test_the_shorter_limit_that_was_offered_starts_it() -> None:
    snapshot = a_line_with_a_hold()
    row = snapshot.gangs.row("x")
    shorter = snapshot.gangs.duration_ms_G.copy()
    shorter[row] = 57 * 60_000
    changed = replace(snapshot, gangs=replace(snapshot.gangs, duration_ms_G=shorter))
    told = explain(changed, "x", POLICIES["easy-hold"])
    assert told
    assert told.start


def test_a_policy_that_looks_at_no_limit_is_offered_none() -> None:
    told = explain(a_line_with_a_hold(), "wide", Policy())
    assert told
    assert told.cheapest_change is None or told.cheapest_change.field != "timeout"


def test_half_the_nodes_are_dated_by_a_play() -> None:
    nodes = [make_node(f"n{place}", cpus=4) for place in range(2)]
    jobs = [
        make_job(
            f"r{place}",
            make_shape(milli_cpu=4000),
            attempts=(replace(make_attempt([node]), running_ms=NOW_MS),),
            phase=JobPhase.RUNNING,
            timeout_s=(1 + 9 * place) * HOUR_S,
        )
        for place, node in enumerate(nodes)
    ]
    asked = make_job("x", make_shape(2, milli_cpu=4000), timeout_s=HOUR_S)
    world = make_world(nodes, [*jobs, asked])
    estimates = Estimates.of(world, ())
    snapshot, like = encode_cold(world, NOW_MS), likeness(asked)
    tried = candidates(asked.gang(), Policy(), kinds=(), likely_ms=0)
    assert [each.change.field for each in tried] == ["gang.nodes"]
    found = {each.change.field: ahead(estimates, snapshot, each.gang, like) for each in tried}
    present_ms = ahead(estimates, snapshot, asked.gang(), like)
    assert (present_ms, found) == (10 * HOUR_MS, {"gang.nodes": HOUR_MS})
    better = soonest(found, tried, present_ms)
    assert better
    assert (better[0].change.after, better[1]) == (1, HOUR_MS)


def test_a_change_that_saves_little_is_not_worth_it() -> None:
    asked = make_job("x", make_shape(2, same="rack"))
    tried = candidates(asked.gang(), Policy(), kinds=(), likely_ms=0)
    assert soonest({"gang.same": 9 * HOUR_MS}, tried, 10 * HOUR_MS) is None


def ahead(estimates: Estimates, snapshot: Snapshot, gang: Gang, like: Likeness) -> int:
    plays = estimates.asking(snapshot, Policy(), gang, like)
    return plays.run()[gang.id]
