"""Taking things off the record: refused when anything has come to need them, and nothing of the ledger goes."""

from dataclasses import replace

import pytest

from gigawatt.model.artifact import Artifact
from gigawatt.model.command import (
    AddArtifact,
    RemoveArtifact,
    RemoveEnvironment,
    RemoveJob,
    RetryJob,
    SetRetention,
    SubmitJob,
)
from gigawatt.model.environment import (
    Environment,
    EnvironmentKind,
    EnvironmentPhase,
    EnvironmentSpec,
)
from gigawatt.model.job import JobPhase
from gigawatt.model.launch import AttemptKey
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.retention import RemovedJob, Retention
from gigawatt.model.tenant import Project
from tests.loop import Loop, a_spec
from tests.machines import a_report

DIGEST = "sha256:" + "a" * 64
BUNDLE = Artifact(
    digest=DIGEST,
    tenant="default",
    project="default",
    kind="bundle",
    size_bytes=1,
    files=1,
    created_ms=1,
    created_by="me",
)
SPEC = EnvironmentSpec(kind=EnvironmentKind.UV, requirements=("six",))
ENVIRONMENT = Environment(
    id="env-1",
    tenant="default",
    project="default",
    spec=SPEC,
    phase=EnvironmentPhase.BUILDING,
    created_ms=1,
)


def finished(loop: Loop, *, code: int = 0) -> None:
    loop.submit(a_spec())
    loop.later(1_000)
    loop.machines.exit(AttemptKey(gang="job-1", attempt=1), 0, code=code)
    loop.step()
    loop.later(1_000)


def remove(loop: Loop) -> RemoveJob:
    return RemoveJob(job=loop.job(), planned_ms=loop.now_ms, by="me")


def test_a_removed_job_leaves_a_note_and_all_of_its_ledger() -> None:
    loop = Loop.of(a_report("n1"))
    finished(loop)
    before = [*loop.entries]
    answer = loop.ask(remove(loop))
    assert isinstance(answer, RemovedJob)
    assert (answer.id, answer.name, answer.phase) == ("job-1", "job", "succeeded")
    assert ("Job", "job-1") not in loop.kept
    assert loop.kept["RemovedJob", "job-1"] == answer
    assert loop.entries[: len(before)] == before
    assert loop.unaccounted() == 0
    assert loop.events[-1].kind == "retention.job_removed"


def test_a_job_that_was_retried_since_the_plan_stays() -> None:
    loop = Loop.of(a_report("n1"))
    finished(loop, code=3)
    planned = remove(loop)
    loop.ask(RetryJob(job=loop.job(), by="me"))
    with pytest.raises(RefusalError, match="it is live again"):
        loop.ask(planned)
    loop.machines.exit(AttemptKey(gang="job-1", attempt=2), 0, code=3)
    loop.step()
    assert loop.job().phase is JobPhase.FAILED
    with pytest.raises(RefusalError, match="it was used a moment ago"):
        loop.ask(replace(planned, job=loop.job()))


def test_a_job_that_was_removed_cannot_be_retried_by_who_read_it_before() -> None:
    loop = Loop.of(a_report("n1"))
    finished(loop, code=3)
    job = loop.job()
    loop.ask(remove(loop))
    with pytest.raises(RefusalError) as refused:
        loop.ask(RetryJob(job=job, by="me"))
    assert refused.value.code is RefusalCode.GONE


def test_a_bundle_that_a_live_job_uses_stays_and_one_removed_is_asked_for_again() -> None:
    loop = Loop.of(a_report("n1"))
    loop.ask(AddArtifact(artifact=BUNDLE))
    spec = replace(a_spec(), bundle=DIGEST)
    loop.later(1)
    removal = RemoveArtifact(artifact=BUNDLE, planned_ms=loop.now_ms, by="me")
    loop.submit(spec)
    with pytest.raises(RefusalError, match="job-1 uses it"):
        loop.ask(removal)
    loop.machines.exit(AttemptKey(gang="job-1", attempt=1), 0)
    loop.step()
    with pytest.raises(RefusalError, match="used a moment ago"):
        loop.ask(removal)
    loop.later(1)
    loop.ask(replace(removal, planned_ms=loop.now_ms))
    assert not any(kind == "Artifact" for kind, _ in loop.kept)
    with pytest.raises(RefusalError, match="was removed a moment ago"):
        loop.submit(spec, id="job-2")
    loop.ask(AddArtifact(artifact=BUNDLE))
    assert loop.submit(spec, id="job-2").spec.bundle == DIGEST


def test_an_environment_goes_when_nothing_live_uses_it_and_is_built_again_when_asked_for() -> None:
    loop = Loop.of(a_report("n1"))

    def submit(id: str) -> None:
        spec = a_spec(environment="env-1")
        loop.ask(
            SubmitJob(
                id=id,
                tenant="default",
                project="default",
                by="me",
                spec=spec,
                environment=ENVIRONMENT,
            )
        )

    submit("job-1")
    removal = RemoveEnvironment(id="env-1", unused_since_ms=loop.now_ms + 1, by="me")
    with pytest.raises(RefusalError, match="is needed by"):
        loop.ask(removal)
    loop.machines.exit(AttemptKey(gang="job-1", attempt=1), 0, code=3)
    loop.step()
    loop.ask(removal)
    assert loop.world.environments["env-1"].phase is EnvironmentPhase.REMOVED
    loop.ask(RetryJob(job=loop.job(), by="me"))
    assert loop.world.environments["env-1"].phase is EnvironmentPhase.READY  # built again at once


def test_a_policy_is_set_whole_and_an_old_version_is_refused() -> None:
    loop = Loop.of(a_report("n1"))
    change = SetRetention(
        tenant="default", name="default", retention=Retention(jobs_ms=5), by="me", if_version=1
    )
    after = loop.ask(change)
    assert isinstance(after, Project)
    assert (after.retention, after.version) == (Retention(jobs_ms=5), 2)
    with pytest.raises(RefusalError) as refused:
        loop.ask(replace(change, retention=Retention()))
    assert refused.value.code is RefusalCode.STALE_VERSION
