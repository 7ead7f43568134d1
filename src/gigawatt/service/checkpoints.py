"""Checkpoints of a job: list them, read them again, and start another job from one."""

from dataclasses import replace

from gigawatt import clock
from gigawatt.model.checkpoint import Candidate, Checkpoint, CheckpointState, Finding, Origin
from gigawatt.model.job import Job
from gigawatt.model.observation import CheckpointsFound
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller
from gigawatt.reconcile.retention import newest_valid
from gigawatt.service.lookup import find_job
from gigawatt.service.permissions import sees, verb
from gigawatt.service.services import Services
from gigawatt.service.views.checkpoints import (
    CheckpointRecordView,
    VerifiedView,
    record_view,
    verified_view,
)
from gigawatt.service.views.text import PageView


@verb
async def page(
    caller: Caller, services: Services, reference: str, *, project: str = ""
) -> PageView[CheckpointRecordView]:
    """All on record, newest first. There are at most CHECKPOINTS_MAX, so one page holds them."""
    job = await find_job(caller, services, reference, project)
    items = [record_view(each, job) for each in reversed(job.history)]
    return PageView(items=items, next="")


@verb
async def verify(
    caller: Caller, services: Services, reference: str, *, step: int | None, project: str = ""
) -> PageView[VerifiedView]:
    """Read the contents of one step's checkpoints, or of all, and compare. What is found goes on a live job's record."""
    job = await find_job(caller, services, reference, project)
    wanted = [
        each
        for each in reversed(job.history)
        if each.state is not CheckpointState.REMOVING and step in {None, each.step}
    ]
    if step is not None and not wanted:
        raise _no_step(job, step, field="step")
    within = services.leader.checkpoint_dir(job)
    findings: list[Finding] = []
    for each in wanted:
        candidate = Candidate(checkpoint=replace(each, kept=()), within=within)
        findings.append(await services.engine.check_checkpoint(candidate, contents=True))
    if findings and not job.ended:
        seen = CheckpointsFound(at_ms=clock.now_ms(), job=job.id, findings=tuple(findings))
        await services.leader.checkpoints_found(seen)
    items = [verified_view(each, found) for each, found in zip(wanted, findings, strict=True)]
    return PageView(items=items, next="")


async def resolve_origin(
    caller: Caller, services: Services, written: str, project: str
) -> Origin | None:
    """The checkpoint that JOB[@STEP] names, of a job of the same project. Raises RefusalError."""
    if not written:
        return None
    reference, at, text = written.rpartition("@")
    reference, text = (reference, text) if at else (written, "")
    if at and not text.isdecimal():
        detail = f"from names no step after its @: {written}"
        hint = "write from: JOB or from: JOB@STEP"
        raise RefusalError(RefusalCode.INVALID, detail, field="from", hint=hint)
    try:
        job = await find_job(caller, services, reference, project)
    except RefusalError as error:
        raise RefusalError(error.code, error.detail, field="from", hint=error.hint) from error
    if (job.tenant, job.project) != (caller.tenant, project) or not sees(caller, *_home(job)):
        detail = f"there is no job {reference} in project {project}"
        hint = "a job starts from checkpoints of its own project only"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="from", hint=hint)
    return Origin(job=job.id, checkpoint=replace(_wanted(job, text), kept=(), metrics=()))


def _wanted(job: Job, text: str) -> Checkpoint:
    if not text:
        newest = newest_valid(job.history)
        if newest is not None:
            return newest
        detail = f"job {job.id} ({job.spec.name}) has no valid checkpoint"
        hint = f"gw checkpoints list {job.spec.name} shows those there are"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="from", hint=hint)
    step = int(text)
    of_step = newest_valid([each for each in job.history if each.step == step])
    if of_step is None:
        raise _no_step(job, step, field="from")
    return of_step


def _no_step(job: Job, step: int, *, field: str) -> RefusalError:
    there = sorted({each.step for each in job.history if each.state is CheckpointState.VALID})
    steps = ", ".join(str(each) for each in there[-10:])
    return RefusalError(
        RefusalCode.NOT_FOUND,
        f"job {job.id} ({job.spec.name}) has no valid checkpoint of step {step}",
        field=field,
        hint=f"it has steps {steps}" if there else "it has none yet",
    )


def _home(job: Job) -> tuple[str, str]:
    return job.tenant, job.project
