"""An index finds the nodes that are found without it, cycle after cycle, whatever happens in between."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.model.attempt import AttemptPhase
from gigawatt.model.change import Entity
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.world import World
from gigawatt.scheduler.decide import Finished, decide, finish
from gigawatt.scheduler.dry_run import feasible, what_if
from gigawatt.scheduler.encode import Encoder
from gigawatt.scheduler.explain import explain
from gigawatt.scheduler.index import Index
from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.snapshot import Snapshot
from tests.property.scheduler.strategies import NODE, mixtures, states, waiting_jobs
from tests.scenario.build import NOW_MS, apply_starts, make_node, make_world

RACK_NODES, LEAF_NODES, NODES = 3, 6, 12
POLICIES = [Policy(), Policy(hold_after_ms=1_000), Policy(steps_max=5)]
KINDS = mixtures({name: options for name, options in NODE.items() if name != "place"})


@st.composite
def sites(draw: st.DrawFn) -> World:
    """Every node has a place at each level, so that an index can be made."""
    alike = draw(st.booleans())
    kind = draw(KINDS)
    nodes = [
        make_node(
            f"node-{row:02}",
            **(kind if alike else draw(KINDS)),
            place=f"s/h/p/l{row // LEAF_NODES}/r{row // RACK_NODES}/r{row // RACK_NODES}",
        )
        for row in range(NODES)
    ]
    return make_world(nodes, [])


@given(data=st.data(), world=sites(), policy=st.sampled_from(POLICIES))
def test_decisions_with_an_index_are_those_without(
    data: st.DataObject, world: World, policy: Policy
) -> None:
    encoder = Encoder(indexed_from=1)
    for node in world.nodes.values():
        encoder.apply(node)
    assert Index.of(encoder.snapshot(NOW_MS).nodes) is not None
    for cycle in range(4):
        _change(data, world, encoder, cycle)
        snapshot = encoder.snapshot(NOW_MS + cycle)
        decision = finish(snapshot, policy, encoder.memo).decision()
        assert decision == decide(snapshot, policy)
        for gang in snapshot.gangs.ids:
            told = explain(snapshot, gang, policy, encoder.memo)
            assert told == explain(snapshot, gang, policy)
        for work in apply_starts(world, decision):
            encoder.apply(work)


@given(data=st.data(), world=sites(), policy=st.sampled_from(POLICIES))
def test_reasons_are_the_same_once_the_index_has_moved_on(
    data: st.DataObject, world: World, policy: Policy
) -> None:
    encoder = Encoder(indexed_from=1)
    for node in world.nodes.values():
        encoder.apply(node)
    finished: list[tuple[Snapshot, Finished]] = []
    for cycle in range(3):
        _change(data, world, encoder, cycle)
        snapshot = encoder.snapshot(NOW_MS + cycle)
        finished.append((snapshot, finish(snapshot, policy, encoder.memo)))
        for work in apply_starts(world, finished[-1][1].started()):
            encoder.apply(work)
    for snapshot, each in finished:
        assert each.decision() == decide(snapshot, policy)


@given(data=st.data(), world=sites())
def test_what_never_fits_is_told_alike(data: st.DataObject, world: World) -> None:
    encoder = Encoder(indexed_from=1)
    for node in world.nodes.values():
        encoder.apply(node)
    snapshot = encoder.snapshot(NOW_MS)
    gang = data.draw(waiting_jobs("job")).gang()
    policy = Policy()
    assert feasible(snapshot, gang, encoder.memo) == feasible(snapshot, gang)
    assert what_if(snapshot, gang, policy, encoder.memo) == what_if(snapshot, gang, policy)


def _change(data: st.DataObject, world: World, encoder: Encoder, cycle: int) -> None:
    """Some of what runs ends, a node changes its state, and gangs join the line."""
    for job in list(world.jobs.values()):
        if job.attempt and job.attempt.live and data.draw(st.booleans()):
            _put(world, encoder, _ended(job, cycle))
    if data.draw(st.booleans()):
        node = world.nodes[data.draw(st.sampled_from(sorted(world.nodes)))]
        _put(world, encoder, replace(node, state=data.draw(states)))
    for index in range(data.draw(st.integers(0, 6))):
        _put(world, encoder, data.draw(waiting_jobs(f"job-{cycle}-{index}")))


def _ended(job: Job, cycle: int) -> Job:
    assert job.attempt
    ended = job.with_attempt(job.attempt.moved(AttemptPhase.ENDED))
    if cycle % 2:
        return replace(ended, phase=JobPhase.QUEUED, queued_ms=NOW_MS)
    return replace(ended, phase=JobPhase.SUCCEEDED, ended_ms=NOW_MS)


def _put(world: World, encoder: Encoder, entity: Entity) -> None:
    world.put(entity)
    encoder.apply(entity)
