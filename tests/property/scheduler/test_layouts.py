"""Segments, spares and spread are kept by every decision, and no gang waits that could be laid out as it asks."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.gang import Shape
from gigawatt.model.reason import ReasonCode
from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide, finish
from gigawatt.scheduler.encode import Encoder, encode_cold
from gigawatt.scheduler.explain import explain
from gigawatt.scheduler.policy import Fit, Policy
from gigawatt.scheduler.record import decision_bytes, dump
from tests.property.scheduler.checks import carried_out
from tests.property.scheduler.layouts import (
    LAYOUTS,
    domain,
    laid_out_worlds,
    misplaced,
    possible,
)
from tests.scenario.build import NOW_MS, make_job

fits = st.sampled_from(list(Fit))


@given(world=laid_out_worlds(), fit=fits)
def test_a_gang_is_laid_out_as_it_asks(world: World, fit: Fit) -> None:
    decision = decide(encode_cold(world, NOW_MS), Policy(fit=fit))
    assert list(misplaced(world, decision)) == []


@given(world=laid_out_worlds(), fit=fits, shape=st.sampled_from(LAYOUTS))
def test_a_gang_starts_exactly_where_its_layout_is_possible(
    world: World, fit: Fit, shape: Shape
) -> None:
    after = carried_out(world, decide(encode_cold(world, NOW_MS), Policy(fit=fit)))
    for job in [job for job in after.jobs.values() if not job.attempts]:
        del after.jobs[job.id]
    after.put(make_job("asked", shape))
    decision = decide(encode_cold(after, NOW_MS), Policy(fit=fit))
    assert list(misplaced(after, decision)) == []
    assert bool(decision.starts) == possible(after, shape)


@given(world=laid_out_worlds())
def test_without_a_bound_a_gang_is_spread_as_evenly_as_can_be(world: World) -> None:
    for start in decide(encode_cold(world, NOW_MS), Policy()).starts:
        shape = world.jobs[start.gang].spec.shape
        if shape.spread and not shape.spread.at_most and len(world.jobs) == 1 and not shape.same:
            nodes = world.nodes.values()
            there = Counter(domain(node, shape.spread.level) for node in nodes)
            del there[None]
            took = Counter(domain(world.nodes[node], shape.spread.level) for node in start.nodes)
            least = next(
                most
                for most in range(1, 99)
                if sum(min(most, count) for count in there.values()) >= len(start.nodes)
            )
            assert max(took.values()) == least


@given(world=laid_out_worlds())
def test_a_reason_and_its_change_are_true(world: World) -> None:
    snapshot = encode_cold(world, NOW_MS)
    for wait in decide(snapshot, Policy()).waits:
        assert wait.reason.have < wait.reason.need or wait.reason.code is ReasonCode.HELD_FOR_HEAD
        told = explain(snapshot, wait.gang, Policy())
        assert told is not None
        if told.cheapest_change is not None and told.cheapest_change.field == "gang.nodes":
            shape = world.jobs[wait.gang].spec.shape
            after = told.cheapest_change.after
            assert isinstance(after, int)
            assert 0 < after < shape.nodes_min
            assert not shape.segment or after % shape.segment.nodes == 0


@given(world=laid_out_worlds())
def test_an_encoder_and_its_index_decide_the_same(world: World) -> None:
    encoder = Encoder(indexed_from=1)
    for table in (world.nodes, world.jobs):
        for entity in table.values():
            encoder.apply(entity)
    snapshot, cold = encoder.snapshot(NOW_MS), encode_cold(world, NOW_MS)
    assert dump(snapshot, Policy()) == dump(cold, Policy())
    indexed = finish(snapshot, Policy(), encoder.memo).decision()
    assert decision_bytes(indexed) == decision_bytes(decide(cold, Policy()))
