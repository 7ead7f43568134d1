"""Taking off the record what a plan let go, one thing at a time, and only if nothing has come to need it since."""

from gigawatt.model.array import JobArray
from gigawatt.model.artifact import Artifact
from gigawatt.model.change import Entity
from gigawatt.model.command import (
    RemoveArtifact,
    RemoveJob,
    SetRetention,
)
from gigawatt.model.event import Event
from gigawatt.model.job import Job
from gigawatt.model.observation import RetentionNoted
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.retention import RemovedJob
from gigawatt.model.tenant import Project
from gigawatt.model.values import replace
from gigawatt.reconcile.models import use_artifact
from gigawatt.reconcile.projects import check_project, project_id
from gigawatt.reconcile.turn import Turn, entity_id
from gigawatt.reconcile.versions import check_version


def command(turn: Turn, asked: SetRetention | RemoveJob | RemoveArtifact) -> Entity:
    """What is asked of retention; the changed or removed object. Raises RefusalError, having changed nothing."""
    match asked:
        case SetRetention():
            return set_retention(turn, asked)
        case RemoveJob():
            return remove_job(turn, asked)
        case RemoveArtifact():
            return remove_artifact(turn, asked)


def set_retention(turn: Turn, command: SetRetention) -> Project:
    """A project's policy, as a whole."""
    check_project(turn, command.tenant, command.name)
    before = turn.world.projects[project_id(command.tenant, command.name)]
    check_version(f"project {before.name}", before.version, command.if_version)
    if before.retention == command.retention:
        return before
    after = turn.put(replace(before, retention=command.retention))
    turn.emit("retention.policy", after, f"by {command.by}")
    return after


def remove_job(turn: Turn, command: RemoveJob) -> RemovedJob:
    """An ended job's or array's record goes; its ledger entries stay, and that there was one."""
    job = command.job
    if turn.world.knows(job):
        raise _needed(job.id, "it is live again")
    if isinstance(job, Job) and job.array in turn.world.arrays:
        raise _needed(job.id, f"array {job.array} is live")
    for other in (*turn.world.jobs.values(), *turn.world.arrays.values()):
        if job.id in other.spec.after:
            raise _needed(job.id, f"{other.id} comes after it")
    _check_since(turn, job.id, command.planned_ms)
    assert job.ended, job.id
    turn.remove(job)
    removed = turn.put(
        RemovedJob(
            id=job.id,
            tenant=job.tenant,
            project=job.project,
            name=job.spec.name,
            phase=job.phase.value,
            created_ms=job.created_ms,
            removed_ms=turn.now_ms,
            by=command.by,
            submitted_by=job.submitted_by,
            labels=job.spec.labels,
        )
    )
    turn.emit("retention.job_removed", removed, f"{job.spec.name}, {job.phase.value}")
    return removed


def remove_artifact(turn: Turn, command: RemoveArtifact) -> Artifact:
    """A tenant's claim to an artifact goes. Its bytes go when nobody's claim to them is left."""
    artifact = command.artifact
    key = entity_id(artifact)
    world = turn.world
    users = (
        *world.jobs.values(),
        *world.arrays.values(),
        *world.endpoints.values(),
        *world.workspaces.values(),
        *world.schedules.values(),
    )
    for user in users:
        if user.tenant == artifact.tenant and user.spec.bundle == artifact.digest:
            raise _needed(artifact.digest, f"{user.id} uses it")
    _check_since(turn, key, command.planned_ms)
    turn.remove(artifact)
    turn.emit("retention.artifact_removed", artifact, f"{artifact.kind}, by {command.by}")
    return artifact


def noted(turn: Turn, seen: RetentionNoted) -> None:
    """What the pass that runs by itself did or saw, for those who watch."""
    turn.events.append(
        Event(
            at_ms=seen.at_ms,
            kind=f"retention.{seen.what}",
            tenant="",
            project="",
            subject="retention",
            message=seen.message,
            data=seen.data,
        )
    )


def check_there(turn: Turn, work: Job | JobArray) -> None:
    """Refuse to run again what was removed, or what needs code that was."""
    if work.id in turn.world.removed_ids:
        raise RefusalError(RefusalCode.GONE, f"{work.id} was removed")
    use_artifact(turn, work.tenant, work.spec.bundle)
    turn.world.use(work.id, now_ms=turn.now_ms)


def _check_since(turn: Turn, key: str, planned_ms: int) -> None:
    """Refuse where the plan was made before the last use, even if that use has ended meanwhile."""
    if turn.world.used_ms.get(key, -1) >= planned_ms:
        raise _needed(key, "it was used a moment ago")


def _needed(what: str, why: str) -> RefusalError:
    return RefusalError(RefusalCode.CONFLICT, f"{what} stays: {why}")
