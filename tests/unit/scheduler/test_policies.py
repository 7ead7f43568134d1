"""What each policy makes of one line: a head that does not fit, and shorter and longer ones behind it."""

from dataclasses import replace

import pytest

from gigawatt.model.decision import Hold
from gigawatt.model.reason import ReasonCode
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide
from gigawatt.scheduler.encode import encode_cold
from gigawatt.scheduler.policy import POLICIES
from tests.scenario.build import NOW_MS, make_attempt, make_job, make_node, make_shape, make_world

BUSY_UNTIL_MS = NOW_MS + 600_000


def a_world(*, first_timeout_s: int = 600) -> World:
    """Three nodes of 8 cores. One runs a job of 600 s; the head wants two whole nodes and one more core."""
    nodes = [make_node(f"node-{index}") for index in range(3)]
    whole = make_shape(1, milli_cpu=8000)
    runs = make_job("runs", whole, timeout_s=first_timeout_s, attempts=(make_attempt(nodes[:1]),))
    head = make_job("head", make_shape(17, stacked=True), queued_ms=NOW_MS - 9, timeout_s=60)
    short = make_job("short", whole, queued_ms=NOW_MS - 8, timeout_s=600)
    small = make_job("small", make_shape(1), queued_ms=NOW_MS - 7, timeout_s=6000)
    long = make_job("long", whole, queued_ms=NOW_MS - 6, timeout_s=6000)
    return make_world(nodes, [runs, head, short, small, long])


@pytest.mark.parametrize(
    ("policy", "starts", "hold"),
    [
        ("default", ["short", "small"], None),
        ("fifo", [], None),
        ("easy-hold", ["short", "small"], Hold(gang="head", at_ms=BUSY_UNTIL_MS)),
        ("easy", ["short", "small"], Hold(gang="head", at_ms=BUSY_UNTIL_MS)),
    ],
)
def test_who_starts_behind_a_head_that_does_not_fit(
    policy: str, starts: list[str], hold: Hold | None
) -> None:
    decision = decide(encode_cold(a_world(), NOW_MS), POLICIES[policy])
    assert [start.gang for start in decision.starts] == starts
    assert decision.hold == hold


def test_a_gang_that_would_delay_the_hold_waits_for_it_and_is_told_by_how_much() -> None:
    world = a_world()
    del world.jobs["small"], world.jobs["short"]
    world.put(make_job("other", make_shape(1, milli_cpu=8000), queued_ms=NOW_MS - 6))
    decision = decide(encode_cold(world, NOW_MS), POLICIES["easy-hold"])
    assert [start.gang for start in decision.starts] == []
    reasons = {wait.gang: wait.reason for wait in decision.waits}
    assert reasons["long"].code is ReasonCode.HELD_FOR_HEAD
    assert (reasons["long"].need, reasons["long"].have) == (6_000_000, 600_000)
    assert "no limit" in reasons["other"].detail


def test_the_hold_goes_to_the_first_whose_start_the_known_ends_can_date() -> None:
    decision = decide(encode_cold(a_world(first_timeout_s=0), NOW_MS), POLICIES["easy-hold"])
    assert decision.hold == Hold(gang="long", at_ms=NOW_MS + 600_000)  # when "short" must end
    assert [start.gang for start in decision.starts] == ["short", "small"]


def test_a_dated_hold_is_kept_until_its_time_and_then_tried() -> None:
    world, policy = a_world(), POLICIES["easy"]
    del world.jobs["runs"]  # it has ended long before it must
    hold = Hold(gang="head", at_ms=BUSY_UNTIL_MS)
    early = decide(encode_cold(world, NOW_MS, hold=hold), policy)
    assert early.waits[0].reason.code is ReasonCode.HOLD_AHEAD
    assert (early.hold, early.again_ms) == (hold, BUSY_UNTIL_MS)
    late = decide(encode_cold(world, BUSY_UNTIL_MS, hold=hold), policy)
    assert late.starts[0].gang == "head"


def test_a_stacked_gang_takes_as_many_places_of_a_node_as_it_holds() -> None:
    world = a_world()
    del world.jobs["runs"]
    start = decide(encode_cold(world, NOW_MS), POLICIES["fifo"]).starts[0]
    assert (start.nodes, start.places) == (("node-0", "node-1", "node-2"), (8, 8, 1))


def test_stacked_places_are_given_whole_devices() -> None:
    nodes = [make_node("node-0", gpus=4), make_node("node-1", gpus=4)]
    job = make_job("gang", make_shape(6, milli_gpu=1000, stacked=True))
    decision = decide(encode_cold(make_world(nodes, [job]), NOW_MS), POLICIES["fifo"])
    assert decision.starts[0].gpus == ((0, 1, 2, 3), (0, 1))


def test_first_fit_takes_nodes_in_the_order_of_their_ids() -> None:
    nodes = [make_node("node-0", cpus=64), make_node("node-1", cpus=8)]
    job = make_job("gang", make_shape(1))
    for policy, node in (("fifo", "node-0"), ("default", "node-1")):
        decision = decide(encode_cold(make_world(nodes, [job]), NOW_MS), POLICIES[policy])
        assert decision.starts[0].nodes == (node,)


def test_an_impossible_head_holds_up_a_strict_line_only_by_being_there() -> None:
    world = make_world([make_node("node-0")], [make_job("huge", make_shape(2), queued_ms=1)])
    world.put(replace(make_job("next", make_shape(1)), queued_ms=2))
    decision = decide(encode_cold(world, NOW_MS), POLICIES["fifo"])
    assert [wait.reason.code for wait in decision.waits] == [
        ReasonCode.IMPOSSIBLE,
        ReasonCode.BEHIND_HEAD,
    ]
