"""Ranks of a job that run right now, which some verbs need; why there is none, in words."""

from gigawatt.model.attempt import Attempt, RankStatus
from gigawatt.model.job import Job
from gigawatt.model.launch import AttemptKey
from gigawatt.model.refusal import RefusalCode, RefusalError


def live_attempt(job: Job) -> Attempt:
    """The attempt that has ranks which run. Raises RefusalError (conflict)."""
    attempt = job.attempt
    if attempt is None or not any(_runs(rank) for rank in attempt.ranks):
        what = f"job {job.spec.name} is {job.phase.value}"
        hint = f"gw explain {job.spec.name}"
        raise RefusalError(RefusalCode.CONFLICT, f"{what}: none of its ranks runs", hint=hint)
    return attempt


def live_rank(job: Job, number: int) -> tuple[AttemptKey, RankStatus]:
    """A rank that runs. Raises RefusalError (not-found for one that never was, conflict)."""
    attempt = live_attempt(job)
    check_rank(len(attempt.ranks), number)
    rank = attempt.rank(number)
    if not _runs(rank):
        raise ended(job, number)
    return AttemptKey(gang=job.id, attempt=attempt.n), rank


def live_ranks(job: Job, wanted: tuple[int, ...]) -> tuple[AttemptKey, tuple[int, ...]]:
    """Ranks that were named and are part of a gang that runs; all that run, if none is named. Raises RefusalError."""
    attempt = live_attempt(job)
    for number in wanted:
        check_rank(len(attempt.ranks), number)
    every = tuple(rank.rank for rank in attempt.ranks if _runs(rank))
    return AttemptKey(gang=job.id, attempt=attempt.n), tuple(sorted(set(wanted))) or every


def check_rank(ranks: int, rank: int) -> None:
    """Raises RefusalError (not-found) for a rank that a gang of so many does not have."""
    if not 0 <= rank < ranks:
        detail = f"there are ranks 0 to {ranks - 1}, not {rank}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="rank")


def ended(job: Job, number: int) -> RefusalError:
    """What is answered about a rank that does not run, or not any more."""
    return RefusalError(
        RefusalCode.CONFLICT,
        f"rank {number} of job {job.spec.name} does not run",
        field="rank",
        hint=f"gw jobs {job.spec.name} shows which do",
    )


def _runs(rank: RankStatus) -> bool:
    return rank.pid is not None and not rank.exited
