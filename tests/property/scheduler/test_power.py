"""No decision takes a feed over its cap, and none lets a gang wait that every feed would carry."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.reason import ReasonCode
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide, finish
from gigawatt.scheduler.encode import Encoder, encode_cold
from gigawatt.scheduler.explain import explain
from gigawatt.scheduler.policy import Fit, Line, Policy
from gigawatt.scheduler.record import decision_bytes, dump, load
from tests.property.scheduler.checks import PASSED_OVER, carried_out, faults
from tests.property.scheduler.power_trees import left_waiting, over_caps, powered_worlds
from tests.property.scheduler.strategies import policies
from tests.scenario.build import NOW_MS

HOLDS_NOTHING = 1 << 50
LETS_WAIT = {code.value for code in PASSED_OVER} | {"held_for_head", "outside_window"}


@given(world=powered_worlds(), policy=policies)
def test_no_feed_is_over_its_cap_for_what_is_started(world: World, policy: Policy) -> None:
    decision = decide(encode_cold(world, NOW_MS), policy)
    assert list(over_caps(world, carried_out(world, decision), decision)) == []
    mistaken = [each for each in faults(world, decision) if "empty cluster holds it" not in each]
    assert mistaken == []  # the checks of never know of nodes alone


@given(world=powered_worlds(), fit=st.sampled_from(list(Fit)))
def test_no_gang_waits_that_nodes_and_feeds_could_take(world: World, fit: Fit) -> None:
    policy = Policy(hold_after_ms=HOLDS_NOTHING, fit=fit)
    decision = decide(encode_cold(world, NOW_MS), policy)
    after = carried_out(world, decision)
    for gang, code, could in left_waiting(world, after, decision):
        assert not could or code in LETS_WAIT, f"{gang.id} waits for {code}"


@given(world=powered_worlds())
def test_without_caps_the_tree_changes_nothing(world: World) -> None:
    for feed in list(world.feeds.values()):
        world.put(replace(feed, cap_milliwatts=None))
    with_tree = encode_cold(world, NOW_MS)
    bare = decide(replace(with_tree, power=None), Policy())
    assert decision_bytes(decide(with_tree, Policy())) == decision_bytes(bare)


@given(world=powered_worlds(), line=st.sampled_from(list(Line)))
def test_with_and_without_an_index_the_same_is_decided(world: World, line: Line) -> None:
    encoder = Encoder(indexed_from=1)
    for table in (world.nodes, world.jobs, world.replicas, world.feeds):
        for entity in table.values():
            encoder.apply(entity)
    snapshot, policy = encoder.snapshot(NOW_MS), Policy(line=line)
    assert dump(snapshot, policy) == dump(encode_cold(world, NOW_MS), policy)
    indexed = finish(snapshot, policy, encoder.memo).decision()
    again, _ = load(dump(snapshot, policy))
    assert decision_bytes(indexed) == decision_bytes(decide(again, policy))


@given(world=powered_worlds())
def test_a_reason_of_power_names_two_numbers_that_disagree(world: World) -> None:
    snapshot = encode_cold(world, NOW_MS)
    for wait in decide(snapshot, Policy()).waits:
        reason = wait.reason
        if reason.resource == "milliwatts":
            assert reason.code in {ReasonCode.POWER, ReasonCode.IMPOSSIBLE}
            assert reason.have < reason.need
            told = explain(snapshot, wait.gang, Policy())
            assert told is not None and told.reason == reason
