"""Times that a job sets itself: by when it must have started, and by when it should be done."""

from dataclasses import replace

from gigawatt.model.attempt import Verdict
from gigawatt.model.deadline import AtDeadline
from gigawatt.model.job import ENDED, WAITING, Job, JobPhase
from gigawatt.model.observation import DeadlineUnlikely
from gigawatt.reconcile import attempts, ends
from gigawatt.reconcile.turn import Turn

UNLIKELY, MISSED = "unlikely", "missed"  # what was told of a deadline, in `Job.deadline_told`


def arm(turn: Turn, job: Job) -> None:
    """Look at the job when its times come."""
    if job.deadline_ms and job.deadline_told != MISSED:
        turn.due(job.deadline_ms, job.id)
    if job.start_before_ms:
        turn.due(job.start_before_ms, job.id)


def due(turn: Turn, job: Job) -> Job | None:
    """The job as it is after what its times bring about; None where that ends it or stops it."""
    if job.start_before_ms and job.phase in WAITING and turn.now_ms >= job.start_before_ms:
        ends.end_job(turn, job, JobPhase.FAILED, "it had not started by its start_before")
        return None
    passed = job.deadline_ms and turn.now_ms >= job.deadline_ms
    if not passed or job.deadline_told == MISSED or job.phase in ENDED | {JobPhase.SAVING}:
        return job
    job = turn.put(replace(job, deadline_told=MISSED))
    turn.emit("job.deadline_missed", job, f"{job.spec.name} is {job.phase.value} at its deadline")
    if not stops(job):
        return job
    if job.attempt is not None and job.attempt.live:
        attempts.stop(turn, job, job.attempt, cause=Verdict.TIMEOUT)
    else:
        ends.end_job(turn, job, JobPhase.FAILED, "its deadline came while it waited")
    return None


def unlikely(turn: Turn, seen: DeadlineUnlikely) -> None:
    """It is said once of a job, when it has become so."""
    job = turn.world.jobs.get(seen.job)
    if job is None or job.ended or job.deadline_told or not job.deadline_ms:
        return
    job = turn.put(replace(job, deadline_told=UNLIKELY))
    late_s = -(-(seen.p50_ms - job.deadline_ms) // 1000)
    message = f"{job.spec.name} is more likely than not to be late, by {late_s} s at the median"
    turn.emit("job.deadline_unlikely", job, message, (("p50_ms", str(seen.p50_ms)),))


def stops(job: Job) -> bool:
    """Whether its deadline has come, and is its end."""
    deadline = job.spec.deadline
    return job.deadline_told == MISSED and deadline is not None and deadline.then is AtDeadline.STOP
