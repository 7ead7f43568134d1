"""Environments while they are used, and once nobody uses them."""

import json
from dataclasses import replace

import pytest

from gigawatt.model.action import DeleteEnvironment
from gigawatt.model.change import Entity
from gigawatt.model.command import RemoveEnvironment, SubmitJob
from gigawatt.model.endpoint import Endpoint, EndpointPhase, EndpointSpec, Replica
from gigawatt.model.environment import (
    USED_EVERY_MS,
    Environment,
    EnvironmentKind,
    EnvironmentPhase,
    EnvironmentSpec,
)
from gigawatt.model.gang import Shape
from gigawatt.model.job import Job, JobPhase, JobSpec
from gigawatt.model.observation import EnvironmentDeleted
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.resources import Resources
from gigawatt.model.tenant import Project
from gigawatt.model.world import World
from gigawatt.reconcile import apply, environments
from gigawatt.reconcile.adopt import Found, adopt
from gigawatt.reconcile.turn import Site, Turn
from gigawatt.store.codec import decode

SHAPE = Shape(per_node=Resources())
ENV = "env-0123456789abcdef"
READY = Environment(
    id=ENV,
    tenant="t",
    project="p",
    spec=EnvironmentSpec(kind=EnvironmentKind.UV, requirements=("numpy",)),
    phase=EnvironmentPhase.READY,
    created_ms=0,
    ended_ms=10,
    path="/envs/" + ENV,
    lock="numpy==2\n",
    size_bytes=100,
)
REMOVE = RemoveEnvironment(id=ENV, unused_since_ms=1000, by="me")


def a_turn(*entities: Entity, now_ms: int = 2000) -> Turn:
    world = World(epoch=1)
    project = Project(id="t/p", tenant="t", name="p", created_ms=0)
    for entity in (project, *entities):
        world.put(entity)
    return Turn(world=world, now_ms=now_ms, site=Site(work_dir="/w", api_url="http://a"))


def a_job() -> Job:
    spec = JobSpec(name="j", command=("true",), shape=SHAPE, environment=ENV)
    return Job(
        id="job-1",
        tenant="t",
        project="p",
        spec=spec,
        phase=JobPhase.RUNNING,
        created_ms=0,
        queued_ms=0,
        submitted_by="me",
    )


def an_endpoint(environment: str = ENV, *, generation: int = 1) -> Endpoint:
    spec = EndpointSpec(
        name="e",
        model="m:1",
        model_path="/m",
        served_name="e",
        command=("serve",),
        shape=SHAPE,
        environment=environment,
    )
    return Endpoint(
        id="end-1",
        tenant="t",
        project="p",
        spec=spec,
        phase=EndpointPhase.ZERO,
        created_ms=0,
        created_by="me",
        generation=generation,
    )


REPLICA = Replica(
    id="rep-1",
    endpoint="end-1",
    tenant="t",
    project="p",
    shape=SHAPE,
    priority=1,
    queued_ms=0,
    generation=1,
)


def test_what_nothing_refers_to_is_unused_and_removed_with_its_files() -> None:
    turn = a_turn(READY)
    assert environments.unused(turn.world, since_ms=1000) == (READY,)
    removed = apply.command(turn, REMOVE)
    assert isinstance(removed, Environment)
    assert (removed.phase, removed.lock) == (EnvironmentPhase.REMOVED, "numpy==2\n")
    assert turn.actions == [DeleteEnvironment(environment=ENV)]
    apply.observation(turn, EnvironmentDeleted(at_ms=3000, environment=ENV))
    after = turn.world.environments[ENV]
    assert (after.path, after.size_bytes) == ("", 0)


@pytest.mark.parametrize(
    "holding",
    [(a_job(),), (an_endpoint(),), (an_endpoint("host", generation=2), REPLICA)],
    ids=["a live job", "an endpoint, at zero too", "a replica of an earlier spec"],
)
def test_what_something_alive_refers_to_stays(holding: tuple[Entity, ...]) -> None:
    turn = a_turn(READY, *holding)
    assert environments.unused(turn.world, since_ms=1000) == ()
    with pytest.raises(RefusalError) as caught:
        apply.command(turn, REMOVE)
    assert caught.value.code is RefusalCode.CONFLICT
    assert turn.batch().puts == []


def test_what_was_used_since_stays_also_where_the_use_is_not_written_down() -> None:
    turn = a_turn(READY, now_ms=1500)
    environments.used(turn, ENV)
    assert turn.batch().puts == []
    assert environments.unused(turn.world, since_ms=1000) == ()
    with pytest.raises(RefusalError, match="has just used it"):
        apply.command(turn, REMOVE)


def test_uses_are_written_down_once_in_a_while() -> None:
    turn = a_turn(READY, now_ms=USED_EVERY_MS + 10)
    environments.used(turn, ENV)
    environments.used(turn, ENV)
    (put,) = turn.batch().puts
    assert isinstance(put, Environment)
    assert put.used_ms == USED_EVERY_MS + 10


def test_a_removed_environment_is_built_again_for_who_asks() -> None:
    turn = a_turn(READY)
    apply.command(turn, REMOVE)
    job = replace(a_job().spec, name="again")
    apply.command(
        turn,
        SubmitJob(id="job-2", tenant="t", project="p", by="me", spec=job, environment=READY),
    )
    assert turn.world.environments[ENV].phase is EnvironmentPhase.BUILDING
    assert turn.world.jobs["job-2"].phase is JobPhase.PREPARING
    apply.observation(turn, EnvironmentDeleted(at_ms=3000, environment=ENV))
    assert turn.world.environments[ENV].phase is EnvironmentPhase.BUILDING


def test_a_removal_that_a_crash_cut_in_half_is_gone_on_with() -> None:
    half = replace(READY, phase=EnvironmentPhase.REMOVED)
    done = replace(half, id="env-ffffffffffffffff", path="", size_bytes=0)
    turn = a_turn(half, done)
    adopt(turn, Found(nodes=(), attempts=(), observations=()))
    assert turn.actions == [DeleteEnvironment(environment=ENV)]


def test_an_environment_of_an_older_store_is_read() -> None:
    old = {
        "id": ENV,
        "tenant": "t",
        "project": "p",
        "spec": {"kind": "uv", "python": "", "requirements": ["numpy"], "lock": ""},
        "phase": "ready",
        "created_ms": 5,
        "version": 2,
    }
    found = decode(Environment, json.dumps(old))
    assert (found.spec.system, found.spec.packages, found.spec.indexes) == ((), (), ())
    assert (found.last_used_ms, found.digest) == (5, "")
