"""What work waits for before it is in the line: what it comes after, and its environment."""

from gigawatt.model.environment import HOST, EnvironmentPhase
from gigawatt.model.job import Job, JobPhase, JobSpec, follows
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.values import replace
from gigawatt.reconcile import environments
from gigawatt.reconcile.turn import Turn


def phase_of(turn: Turn, spec: JobSpec) -> JobPhase:
    """The phase of a job that does not run, by what it needs."""
    if blocked(turn, spec):
        return JobPhase.BLOCKED
    environment = turn.world.environments.get(spec.environment)
    if spec.environment == HOST or (environment and environment.phase is EnvironmentPhase.READY):
        return JobPhase.QUEUED
    return JobPhase.PREPARING


def blocked(turn: Turn, spec: JobSpec) -> bool:
    """Whether something that it comes after has not ended."""
    return any(turn.world.unended(earlier) for earlier in spec.after)


def queue(turn: Turn, job: Job, *, kind: str) -> Job:
    """Move a job that does not run into the phase that what it needs allows."""
    after = turn.put(job.moved(phase_of(turn, job.spec)))
    turn.emit(kind, after, f"{after.spec.name} is {after.phase.value}")
    return after


def requeue(turn: Turn, job: Job) -> Job:
    """Run an ended job again, from its newest checkpoint, with its retry budgets full again."""
    want_environment(turn, job.spec)
    again = replace(
        job,
        attempts_before=len(job.attempts),
        queued_ms=turn.now_ms,
        ended_ms=None,
        claim=None,
        message="",
    )
    if job.spec.deadline is not None:
        again = replace(again, deadline_ms=job.spec.deadline.from_ms(turn.now_ms), deadline_told="")
    return queue(turn, again, kind="job.retried")


def want_environment(turn: Turn, spec: JobSpec) -> None:
    """Have its environment built again if that failed."""
    environment = turn.world.environments.get(spec.environment)
    if environment is not None:
        environments.ensure(turn, environment)


def check_dependencies(turn: Turn, spec: JobSpec, done: tuple[str, ...]) -> None:
    """Refuse what comes after something that is not there or did not end as it asks. `done` is known to have."""
    for earlier in spec.after:
        if earlier in done or turn.world.unended(earlier):
            continue
        phase = turn.world.ended_as(earlier)
        if phase is not None and follows(spec, earlier, phase):
            continue
        detail = f"job {earlier} is {phase.value}" if phase else f"there is no job {earlier}"
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"{detail}, so nothing can come after it",
            field="after",
            hint=f"gw retry {earlier} runs it again" if phase else "gw jobs lists them",
        )
