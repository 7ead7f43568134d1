"""Who comes into a line that stands still starts nothing, and lets nobody start."""

from hypothesis import event, given
from hypothesis import strategies as st

from gigawatt.model.world import World
from gigawatt.scheduler.decide import decide, finish
from gigawatt.scheduler.encode import Encoder, encode_cold
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.standstill import standstill
from tests.property.scheduler.strategies import (
    policies,
    shared_worlds,
    sharing,
    waiting_jobs,
    worlds,
)
from tests.scenario.build import NOW_MS, apply_starts

LATER_MS = (0, 1, 700_000)


def held(data: st.DataObject, world: World, policy: Policy) -> None:
    finished = finish(encode_cold(world, NOW_MS), policy)
    decision = finished.decision()
    apply_starts(world, decision)
    still = standstill(finished)
    now_ms = NOW_MS + data.draw(st.sampled_from(LATER_MS))
    if still is None or 0 < decision.again_ms <= now_ms:
        return
    for name in ("late-1", "late-2", "aaa-3"):
        job = data.draw(waiting_jobs(name))
        if job.attempts or not still.waits(job.gang()):
            continue
        event("somebody waits")
        world.put(job)
        after = decide(encode_cold(world, now_ms), policy)
        assert (after.starts, after.plans) == ((), ())
        assert name in {wait.gang for wait in after.waits}


@given(data=st.data(), world=worlds(), policy=policies)
def test_nobody_starts_in_a_line_by_age(data: st.DataObject, world: World, policy: Policy) -> None:
    held(data, world, policy)


@given(data=st.data(), world=shared_worlds(), policy=sharing)
def test_nobody_starts_in_a_line_by_shares(
    data: st.DataObject, world: World, policy: Policy
) -> None:
    held(data, world, policy)


@given(data=st.data(), world=worlds())
def test_an_encoder_tells_newcomers_from_whatever_else_changes(
    data: st.DataObject, world: World
) -> None:
    encoder = Encoder.of(world)
    encoder.newcomers()
    assert encoder.newcomers() == []
    job = data.draw(waiting_jobs("late-1"))
    assert encoder.apply(job)
    assert encoder.newcomers() == [job.gang()]
    for node in world.nodes.values():
        encoder.remove_node(node.id)
        assert encoder.newcomers() is None
