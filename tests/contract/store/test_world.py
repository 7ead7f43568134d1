"""What a new leader starts from."""

from dataclasses import replace

from gigawatt.model.attempt import Attempt, AttemptPhase
from gigawatt.model.change import Batch
from gigawatt.model.endpoint import EndpointPhase
from gigawatt.model.job import JobPhase
from gigawatt.model.world import World
from gigawatt.store.base import Store
from tests.contract.store.databases import NOW_MS
from tests.contract.store.samples import (
    api_key,
    batch_of,
    endpoint,
    job,
    model_version,
    one_of_every_kind,
    replica,
)


def test_an_empty_store_has_an_empty_world(store: Store, epoch: int) -> None:
    assert store.load_world(epoch=epoch) == World(epoch=epoch)


def test_the_world_has_every_kind_that_can_change(store: Store, epoch: int) -> None:
    entities = one_of_every_kind()
    store.commit(batch_of(*entities), epoch=epoch, now_ms=NOW_MS)
    expected = World(epoch=epoch)
    for entity in entities:
        expected.put(entity)
    assert store.load_world(epoch=epoch) == expected


def test_what_has_ended_is_not_in_the_world_and_comes_back_when_it_lives_again(
    store: Store, epoch: int
) -> None:
    ended = batch_of(
        *(job(n, phase=phase) for n, phase in enumerate(JobPhase)),
        endpoint(1, phase=EndpointPhase.STOPPED),
        endpoint(2),
        replica(1, ended_ms=4),
        replica(2),
        api_key(1, revoked_ms=4),
        api_key(2),
        model_version(1),
    )
    store.commit(ended, epoch=epoch, now_ms=NOW_MS)
    world = store.load_world(epoch=epoch)
    assert {each.phase for each in world.jobs.values()} == set(JobPhase) - {
        JobPhase.SUCCEEDED,
        JobPhase.FAILED,
        JobPhase.CANCELLED,
    }
    assert (list(world.endpoints), list(world.replicas)) == (["ep-2"], ["rep-2"])
    assert list(world.keys) == ["key-2"]

    retried = job(list(JobPhase).index(JobPhase.FAILED))
    store.commit(batch_of(retried), epoch=epoch, now_ms=NOW_MS)
    assert retried.id in store.load_world(epoch=epoch).jobs


def test_blocked_jobs_are_found_from_those_they_come_after(store: Store, epoch: int) -> None:
    """Also where the later one sorts before, because both were made in the same millisecond."""
    earlier = replace(job(5), id="job-z")
    later = replace(job(5, phase=JobPhase.BLOCKED, after=("job-z", "job-gone")), id="job-a")
    store.commit(batch_of(earlier, later), epoch=epoch, now_ms=NOW_MS)
    world = store.load_world(epoch=epoch)
    assert world.dependents == {"job-z": {"job-a": None}}


def test_objects_are_loaded_oldest_first(store: Store, epoch: int) -> None:
    store.commit(batch_of(job(2), job(3), job(1)), epoch=epoch, now_ms=NOW_MS)
    assert list(store.load_world(epoch=epoch).jobs) == ["job-000001", "job-000002", "job-000003"]


def test_a_replica_that_lost_its_attempt_waits_again(store: Store, epoch: int) -> None:
    attempt = Attempt(
        n=1, phase=AttemptPhase.ENDED, nodes=("node-1",), ranks=(), epoch=1, placed_ms=1
    )
    waiting = replace(replica(1), attempts=(attempt,))
    running = replace(
        replica(2), attempts=(replace(attempt, phase=AttemptPhase.RUNNING, ready=True),)
    )
    store.commit(Batch(puts=[waiting, running]), epoch=epoch, now_ms=NOW_MS)
    assert store.load_world(epoch=epoch).replicas == {"rep-1": waiting, "rep-2": running}
