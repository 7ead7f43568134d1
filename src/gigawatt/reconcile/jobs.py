"""Jobs: submitted, waiting for what they need, retried within their budgets, ended."""

from dataclasses import replace

from gigawatt.model.action import StoreModel
from gigawatt.model.attempt import Attempt, AttemptPhase, Verdict
from gigawatt.model.command import CancelJob, RetryJob, SubmitJob
from gigawatt.model.environment import HOST, Environment, EnvironmentPhase
from gigawatt.model.job import Job, JobPhase, JobSpec
from gigawatt.model.ledger import TimeClass
from gigawatt.model.observation import ModelStored, RankProgress
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.reconcile import attempts, checkpoints, environments, models, uses
from gigawatt.reconcile.checkpoints import checkpoint_dir
from gigawatt.reconcile.projects import check_project
from gigawatt.reconcile.turn import Turn
from gigawatt.reconcile.verdict import FAILURE_FACTS

PROGRESS_SAVED_EVERY_MS = (
    5_000  # progress is live in memory; this much of it may be lost in a crash
)


def submit(turn: Turn, command: SubmitJob) -> Job:
    """Take a job. Refused when its project or a job that it comes after is not there, or failed."""
    check_project(turn, command.tenant, command.project)
    _check_dependencies(turn, command.spec.after, command.after_done)
    checkpoints.check_origin(turn, command.spec)
    models.use_artifact(turn, command.tenant, command.spec.bundle)
    if command.environment is not None:
        environments.ensure(turn, command.environment)
    job = Job(
        id=command.id,
        tenant=command.tenant,
        project=command.project,
        spec=command.spec,
        phase=_waiting_phase(turn, command.spec),
        created_ms=turn.now_ms,
        queued_ms=turn.now_ms,
        submitted_by=command.by,
    )
    turn.put(job)
    turn.emit("job.submitted", job, f"{job.spec.name} is {job.phase.value}")
    return job


def cancel(turn: Turn, command: CancelJob) -> Job:
    """Stop a job for good. Asking again while it stops is no error; a job that has ended is."""
    job = turn.world.jobs.get(command.id)
    if job is None or job.phase is JobPhase.SAVING:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"job {command.id} has already ended",
            hint=f"gw jobs {command.id} shows how",
        )
    turn.emit("job.cancel_asked", job, f"by {command.by}")
    attempt = job.attempt
    if attempt is not None and attempt.live:
        stopped = attempts.stop(turn, job, attempt, cause=Verdict.CANCELLED)
        assert isinstance(stopped, Job)
        return stopped
    return _end(turn, job, JobPhase.CANCELLED, f"cancelled by {command.by}")


def retry(turn: Turn, command: RetryJob) -> Job:
    """Run an ended job again, from its newest checkpoint, with its retry budgets full again."""
    job = command.job
    if turn.world.knows(job) or job.phase not in {JobPhase.FAILED, JobPhase.CANCELLED}:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"job {job.id} is {job.phase.value}; only failed and cancelled jobs can be retried",
        )
    _check_there(turn, job)
    environment = turn.world.environments.get(job.spec.environment)
    if environment is not None:
        environments.ensure(turn, environment)
    again = replace(
        job,
        attempts_before=len(job.attempts),
        queued_ms=turn.now_ms,
        ended_ms=None,
        message="",
    )
    return _queue(turn, again, kind="job.retried")


def environment_changed(turn: Turn, environment: Environment) -> None:
    """Its environment is ready, or cannot be built: jobs that wait for it go on, or end."""
    waiting = [
        job
        for job in turn.world.jobs.values()
        if job.phase is JobPhase.PREPARING and job.spec.environment == environment.id
    ]
    for job in waiting:
        if environment.phase is EnvironmentPhase.READY:
            _queue(turn, job, kind="job.queued")
        elif environment.phase is EnvironmentPhase.FAILED:
            _end(turn, job, JobPhase.FAILED, f"its environment failed: {environment.message}")


def attempt_ended(turn: Turn, job: Job, attempt: Attempt) -> None:
    """After a finished attempt: ended, or back into the line if a budget allows."""
    verdict = attempt.verdict
    if verdict is Verdict.SUCCESS:
        _succeed(turn, job)
    elif verdict is Verdict.CANCELLED:
        _end(turn, job, JobPhase.CANCELLED, "cancelled while it ran")
    elif verdict is Verdict.TIMEOUT:
        _end(turn, job, JobPhase.FAILED, f"it ran into its timeout of {job.spec.timeout_s} s")
    elif verdict is Verdict.PREEMPTION or _budget_left(job, verdict):
        turn.emit("job.retrying", job, f"attempt {attempt.n} ended: {_why(attempt)}")
        turn.put(job.moved(JobPhase.QUEUED))
    else:
        _end(turn, job, JobPhase.FAILED, f"attempt {attempt.n} ended: {_why(attempt)}")


def progressed(turn: Turn, job: Job, attempt: Attempt, seen: RankProgress) -> None:
    """Live figures; the first step also ends what counts as starting."""
    if seen.rank != 0 and job.progress is not None:
        return
    progress = seen.progress
    if progress.step is not None and attempt.first_step_ms is None:
        attempt = replace(attempt, first_step_ms=progress.at_ms)
        if attempt.phase is AttemptPhase.RUNNING:
            uses.withdraw(turn, job, attempt, TimeClass.STARTING)
        turn.put(replace(job, progress=progress).with_attempt(attempt))
        return
    saved_ms = turn.world.saved_ms.get(job.id, 0)
    if turn.now_ms - saved_ms >= PROGRESS_SAVED_EVERY_MS:
        turn.world.saved_ms[job.id] = turn.now_ms
        turn.put(replace(job, progress=progress))
    else:
        turn.touch(replace(job, progress=progress))


def model_stored(turn: Turn, seen: ModelStored) -> None:
    """The declared model is in the store: register it; or it is not there, and the job failed."""
    job = turn.world.jobs.get(seen.job)
    if job is None or job.phase is not JobPhase.SAVING:
        return
    if seen.error:
        _end(turn, job, JobPhase.FAILED, f"the model it declared was not stored: {seen.error}")
        return
    version = models.register_output(turn, job, seen)
    _end(
        turn,
        replace(job, model_version=version.ref),
        JobPhase.SUCCEEDED,
        f"registered model {version.ref}",
    )


def due(turn: Turn, job: Job) -> None:
    """A timer of this job has run out."""
    attempt = job.attempt
    if attempt is None or not attempt.live:
        return
    attempts.overdue(turn, job, attempt)
    timeout_ms = job.spec.timeout_s * 1000
    if attempt.phase is not AttemptPhase.RUNNING or not timeout_ms:
        return
    assert attempt.running_ms is not None
    if turn.now_ms - attempt.running_ms >= timeout_ms:
        attempts.stop(turn, job, attempt, cause=Verdict.TIMEOUT)


def save_output(turn: Turn, job: Job) -> None:
    """Have the declared model stored; safe to ask for again after a crash."""
    assert job.spec.model is not None
    within = checkpoint_dir(job, turn.site)
    turn.act(StoreModel(job=job.id, path=f"{within}/{job.spec.model.path}", within=within))


def _queue(turn: Turn, job: Job, *, kind: str) -> Job:
    """Move a job that does not run into the phase that what it needs allows."""
    after = turn.put(job.moved(_waiting_phase(turn, job.spec)))
    turn.emit(kind, after, f"{after.spec.name} is {after.phase.value}")
    return after


def _waiting_phase(turn: Turn, spec: JobSpec) -> JobPhase:
    if any(earlier in turn.world.jobs for earlier in spec.after):
        return JobPhase.BLOCKED
    environment = turn.world.environments.get(spec.environment)
    if spec.environment == HOST or (environment and environment.phase is EnvironmentPhase.READY):
        return JobPhase.QUEUED
    return JobPhase.PREPARING


def _check_dependencies(turn: Turn, after: tuple[str, ...], done: tuple[str, ...]) -> None:
    for earlier in after:
        if earlier in done or earlier in turn.world.jobs:
            continue
        phase = turn.world.recent_ended.get(earlier)
        if phase is JobPhase.SUCCEEDED:
            continue
        detail = f"job {earlier} is {phase.value}" if phase else f"there is no job {earlier}"
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"{detail}, so nothing can come after it",
            field="after",
            hint=f"gw retry {earlier} runs it again" if phase else "gw jobs lists them",
        )


def _check_there(turn: Turn, job: Job) -> None:
    """Refuse to run again what was removed, or what needs code that was."""
    if job.id in turn.world.removed_ids:
        raise RefusalError(RefusalCode.GONE, f"job {job.id} was removed")
    models.use_artifact(turn, job.tenant, job.spec.bundle)
    turn.world.use(job.id, now_ms=turn.now_ms)


def _succeed(turn: Turn, job: Job) -> None:
    if job.spec.model is None:
        _end(turn, job, JobPhase.SUCCEEDED, "")
    else:
        saving = turn.put(job.moved(JobPhase.SAVING))
        save_output(turn, saving)


def _budget_left(job: Job, verdict: Verdict | None) -> bool:
    counted = job.attempts[job.attempts_before :]
    used = sum(attempt.verdict is verdict for attempt in counted)
    budget = (
        job.spec.retries_infrastructure
        if verdict is Verdict.INFRASTRUCTURE
        else job.spec.retries_user
    )
    return used <= budget


def _why(attempt: Attempt) -> str:
    facts = [fact for fact in attempt.evidence if fact.what in FAILURE_FACTS]
    fact = next(iter(facts or attempt.evidence), None)
    where = f" (rank {fact.rank} on {fact.node})" if fact and fact.rank is not None else ""
    return f"{fact.detail}{where}" if fact else f"{attempt.verdict}"


def _end(turn: Turn, job: Job, phase: JobPhase, message: str) -> Job:
    """End a job, and whatever comes after it and now never can run. A chain may be long: no recursion."""
    ended = _put_end(turn, job, phase, message)
    open_ends = [ended]
    while open_ends:
        earlier = open_ends.pop()
        for dependent in tuple(turn.world.dependents.pop(earlier.id, {})):
            open_ends.extend(_earlier_ended(turn, dependent, earlier))
    return ended


def _earlier_ended(turn: Turn, dependent: str, earlier: Job) -> tuple[Job, ...]:
    """A blocked job goes on, or ends because `earlier` did not succeed; those that ended."""
    job = turn.world.jobs.get(dependent)
    if job is None or job.phase is not JobPhase.BLOCKED:
        return ()
    if earlier.phase is JobPhase.SUCCEEDED:
        if _waiting_phase(turn, job.spec) is not JobPhase.BLOCKED:
            _queue(turn, job, kind="job.queued")
        return ()
    message = f"{earlier.spec.name} ({earlier.id}), which it comes after, {earlier.phase.value}"
    return (_put_end(turn, job, JobPhase.FAILED, message),)


def _put_end(turn: Turn, job: Job, phase: JobPhase, message: str) -> Job:
    ended = turn.put(replace(job.moved(phase), ended_ms=turn.now_ms, message=message))
    turn.world.saved_ms.pop(job.id, None)
    environments.used(turn, job.spec.environment)
    turn.emit(f"job.{phase.value}", ended, message)
    return ended
