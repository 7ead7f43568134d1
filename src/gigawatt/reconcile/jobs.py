"""Jobs: submitted, waiting for what they need, retried within their budgets, ended."""

from gigawatt.model.action import StoreModel
from gigawatt.model.array import JobArray
from gigawatt.model.attempt import Attempt, AttemptPhase, Verdict
from gigawatt.model.command import CancelJob, RetryJob, SubmitJob
from gigawatt.model.environment import Environment, EnvironmentPhase
from gigawatt.model.job import Job, JobPhase, pause_ms
from gigawatt.model.ledger import TimeClass
from gigawatt.model.observation import DeadlineUnlikely, ModelStored, RankProgress
from gigawatt.model.ranges import contains, union
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.values import replace
from gigawatt.reconcile import (
    attempts,
    blame,
    budgets,
    checkpoints,
    deadlines,
    ends,
    environments,
    hangs,
    models,
    removals,
    spares,
    tasks,
    uses,
    volumes,
    waiting,
)
from gigawatt.reconcile.checkpoints import checkpoint_dir
from gigawatt.reconcile.projects import check_project
from gigawatt.reconcile.turn import Turn
from gigawatt.reconcile.verdict import CHARGED_TO, FAILURE_FACTS

PROGRESS_SAVED_EVERY_MS = (
    5_000  # progress is live in memory; this much of it may be lost in a crash
)


def submit(turn: Turn, command: SubmitJob) -> Job:
    """Take a job. Refused when its project or a job that it comes after is not there, or failed."""
    check_project(turn, command.tenant, command.project)
    budgets.check(turn, command.tenant, command.project)
    waiting.check_dependencies(turn, command.spec, command.after_done)
    checkpoints.check_origin(turn, command.spec)
    models.use_artifact(turn, command.tenant, command.spec.bundle)
    volumes.check_mounts(turn, command.tenant, command.project, command.spec.volumes)
    if command.environment is not None:
        environments.ensure(turn, command.environment)
    deadline = command.spec.deadline
    job = Job(
        id=command.id,
        tenant=command.tenant,
        project=command.project,
        spec=command.spec,
        phase=waiting.phase_of(turn, command.spec),
        created_ms=turn.now_ms,
        queued_ms=turn.now_ms,
        submitted_by=command.by,
        cause=command.cause,
        deadline_ms=deadline.from_ms(turn.now_ms) if deadline else 0,
        expected_ms=command.expected_ms,
    )
    turn.put(job)
    deadlines.arm(turn, job)
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
    return ends.end_job(turn, job, JobPhase.CANCELLED, f"cancelled by {command.by}")


def retry(turn: Turn, command: RetryJob) -> Job:
    """Run an ended job again, from its newest checkpoint, with its retry budgets full again."""
    job = command.job
    if turn.world.knows(job) or job.phase not in {JobPhase.FAILED, JobPhase.CANCELLED}:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"job {job.id} is {job.phase.value}; only failed and cancelled jobs can be retried",
        )
    budgets.check(turn, job.tenant, job.project)
    volumes.check_mounts(turn, job.tenant, job.project, job.spec.volumes)
    removals.check_there(turn, job)
    if job.array:
        _unfold(turn, job, command.array)
    return waiting.requeue(turn, job)


def environment_changed(turn: Turn, environment: Environment) -> None:
    """Its environment is ready, or cannot be built: jobs that wait for it go on, or end."""
    if environment.phase is EnvironmentPhase.FAILED:
        _stop_arrays(turn, environment)
    prepared = [
        job
        for job in turn.world.jobs.values()
        if job.phase is JobPhase.PREPARING and job.spec.environment == environment.id
    ]
    for job in prepared:
        if environment.phase is EnvironmentPhase.READY:
            waiting.queue(turn, job, kind="job.queued")
        elif environment.phase is EnvironmentPhase.FAILED:
            ends.end_job(
                turn, job, JobPhase.FAILED, f"its environment failed: {environment.failure}"
            )


def attempt_ended(turn: Turn, job: Job, attempt: Attempt) -> None:
    """After a finished attempt: ended, or back into the line if a budget allows."""
    verdict = attempt.verdict
    if verdict is Verdict.SUCCESS:
        _succeed(turn, job)
    elif verdict is Verdict.CANCELLED:
        ends.end_job(turn, job, JobPhase.CANCELLED, "cancelled while it ran")
    elif deadlines.stops(job):
        ends.end_job(turn, job, JobPhase.FAILED, "it was stopped at its deadline")
    elif verdict is Verdict.TIMEOUT:
        ends.end_job(
            turn, job, JobPhase.FAILED, f"it ran into its timeout of {job.spec.timeout_s} s"
        )
    elif verdict is Verdict.PREEMPTION or _budget_left(job, attempt.charged_to):
        pause = pause_ms(job.attempts[job.attempts_before :])
        then = f"; the next may start in {pause // 1_000} s" if pause else ""
        turn.emit("job.retrying", job, f"attempt {attempt.n} ended: {_why(attempt)}{then}")
        job = spares.kept(turn, replace(job, avoids=blame.suspected(turn, job.spec.shape)), attempt)
        turn.put(job.moved(JobPhase.QUEUED))
    else:
        ends.end_job(turn, job, JobPhase.FAILED, f"attempt {attempt.n} ended: {_why(attempt)}")


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
        turn.put(hangs.saved(turn, replace(job, progress=progress), attempt))
    else:
        turn.touch(replace(job, progress=progress))


def seen(turn: Turn, told: ModelStored | DeadlineUnlikely) -> None:
    """Take in what was seen of a job beside its attempts."""
    if isinstance(told, ModelStored):
        model_stored(turn, told)
    else:
        deadlines.unlikely(turn, told)


def model_stored(turn: Turn, seen: ModelStored) -> None:
    """The declared model is in the store: register it; or it is not there, and the job failed."""
    job = turn.world.jobs.get(seen.job)
    if job is None or job.phase is not JobPhase.SAVING:
        return
    if seen.error:
        ends.end_job(
            turn, job, JobPhase.FAILED, f"the model it declared was not stored: {seen.error}"
        )
        return
    version = models.register_output(turn, job, seen)
    ends.end_job(
        turn,
        replace(job, model_version=version.ref),
        JobPhase.SUCCEEDED,
        f"registered model {version.ref}",
    )


def due(turn: Turn, job: Job) -> None:
    """A timer of this job has run out."""
    after = deadlines.due(turn, job)
    if after is None:
        return
    job = after
    attempt = job.attempt
    if attempt is None or not attempt.live:
        return
    attempts.overdue(turn, job, attempt)
    timeout_ms = job.spec.timeout_s * 1000
    if attempt.phase is not AttemptPhase.RUNNING:
        return
    assert attempt.running_ms is not None
    if timeout_ms and turn.now_ms - attempt.running_ms >= timeout_ms:
        attempts.stop(turn, job, attempt, cause=Verdict.TIMEOUT)
    else:
        hangs.look(turn, job, attempt)


def save_output(turn: Turn, job: Job) -> None:
    """Have the declared model stored; safe to ask for again after a crash."""
    assert job.spec.model is not None
    within = checkpoint_dir(job, turn.site)
    turn.act(StoreModel(job=job.id, path=f"{within}/{job.spec.model.path}", within=within))


def _stop_arrays(turn: Turn, environment: Environment) -> None:
    for array in tuple(turn.world.arrays.values()):
        if array.spec.environment == environment.id and array.phase is JobPhase.RUNNING:
            message = f"its environment failed: {environment.failure}"
            ends.stop_array(turn, array, JobPhase.FAILED, message)


def _unfold(turn: Turn, job: Job, ended: JobArray | None) -> None:
    """A task runs again, so its array does. Refused while that stops."""
    array = turn.world.arrays.get(job.array) or ended
    if array is None:
        return
    if contains(union(array.pending, array.running), job.index):
        raise RefusalError(RefusalCode.CONFLICT, f"job {job.id} is to run again already")
    if array.ending is not None or array.phase is JobPhase.BLOCKED:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"array {array.id}, which it is a task of, is {array.phase.value}",
            hint=f"gw jobs {array.id} shows what it does",
        )
    tasks.unfold(turn, array, job.index)


def _succeed(turn: Turn, job: Job) -> None:
    if job.spec.model is None:
        ends.end_job(turn, job, JobPhase.SUCCEEDED, "")
    else:
        saving = turn.put(job.moved(JobPhase.SAVING))
        save_output(turn, saving)


def _budget_left(job: Job, charged_to: str) -> bool:
    counted = job.attempts[job.attempts_before :]
    used = sum(attempt.charged_to == charged_to for attempt in counted)
    users = charged_to == CHARGED_TO[Verdict.USER]
    return used <= (job.spec.retries_user if users else job.spec.retries_infrastructure)


def _why(attempt: Attempt) -> str:
    facts = [fact for fact in attempt.evidence if fact.what in FAILURE_FACTS]
    fact = next(iter(facts or attempt.evidence), None)
    where = f" (rank {fact.rank} on {fact.node})" if fact and fact.rank is not None else ""
    return f"{fact.detail}{where}" if fact else f"{attempt.verdict}"
