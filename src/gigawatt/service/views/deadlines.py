"""Deadlines as callers see them: by when, what happens then, and whether it is likely to be met."""

from dataclasses import dataclass

from gigawatt.model.deadline import AtDeadline, Chance, chance
from gigawatt.model.job import Job, JobPhase
from gigawatt.scheduler.scores import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineView:
    """`outlook` is likely where P90 of the end is in time, unlikely where P50 is not, uncertain between; unknown where
    nothing is known of the end; met or missed once it is over. P50 and P90 are of its end.
    """

    at_ms: int
    then: str
    outlook: str
    p50: int | None
    p90: int | None


def deadline_view(job: Job, end: Estimate | None, *, now_ms: int) -> DeadlineView | None:
    """None of a job without one. `end` is when it should be done."""
    if not job.deadline_ms:
        return None
    deadline = job.spec.deadline
    then = deadline.then if deadline else AtDeadline.KEEP
    return DeadlineView(
        at_ms=job.deadline_ms,
        then=then.value,
        outlook=_outlook(job, end, now_ms).value,
        p50=end.p50_ms if end else None,
        p90=end.p90_ms if end else None,
    )


def _outlook(job: Job, end: Estimate | None, now_ms: int) -> Chance:
    if job.phase is JobPhase.SUCCEEDED:
        return Chance.MET if (job.ended_ms or 0) <= job.deadline_ms else Chance.MISSED
    if job.ended or now_ms > job.deadline_ms:
        return Chance.MISSED
    if end is None:
        return Chance.UNKNOWN
    return chance(job.deadline_ms, p50_ms=end.p50_ms, p90_ms=end.p90_ms)
