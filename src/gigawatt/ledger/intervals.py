"""How often a job should save: from what saving costs it and how often it is to be expected to fail.

The interval that wastes least is about sqrt(2 C (M + R)) (Young 1974, Daly 2006): C is what a checkpoint costs, M the mean
time between failures of the whole gang, R what a restart takes. Waste is C/T + (T/2 + R)/M.
"""

from dataclasses import dataclass
from math import sqrt
from statistics import median

from gigawatt.model.attempt import Attempt, Verdict
from gigawatt.model.job import Job

CHECKPOINTS_MIN = 3  # before an interval is known
COST_MS_MIN = 100  # less cannot be told from a step
DAY_MS = 86_400_000
# Before a job has failed itself: job-killing faults a day, of a GPU (Llama 3, 419 in 54 days on 16,384 GPUs) and of a
# machine without any (RSC-1, 6.5 in 1,000 node-days).
PER_GPU_DAY = 4.74e-4
PER_NODE_DAY = 6.5e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Milliseconds; wastes are shares of the time that it runs."""

    interval_ms: int  # between its checkpoints now
    cost_ms: int  # of one
    mttf_ms: int  # expected, from its own failures and those of others like it
    restart_ms: int
    best_ms: int
    waste: float
    best_waste: float


def advise(job: Job, *, now_ms: int) -> Advice | None:
    """What would be better for a job; None while too little is known of it."""
    saved = [each for each in job.history if each.cost_ms >= COST_MS_MIN]
    gaps = _gaps(job)
    if len(saved) < CHECKPOINTS_MIN or not gaps:
        return None
    cost_ms, interval_ms = median(each.cost_ms for each in saved), median(gaps)
    mttf_ms = expected_ms(job, now_ms=now_ms)
    restart_ms = _restart_ms(job.attempts)
    best_ms = sqrt(2 * cost_ms * (mttf_ms + restart_ms))
    return Advice(
        interval_ms=round(interval_ms),
        cost_ms=round(cost_ms),
        mttf_ms=round(mttf_ms),
        restart_ms=round(restart_ms),
        best_ms=round(best_ms),
        waste=waste(interval_ms, cost_ms=cost_ms, mttf_ms=mttf_ms, restart_ms=restart_ms),
        best_waste=waste(best_ms, cost_ms=cost_ms, mttf_ms=mttf_ms, restart_ms=restart_ms),
    )


def waste(interval_ms: float, *, cost_ms: float, mttf_ms: float, restart_ms: float) -> float:
    """The share of its time that saving, redoing and restarting take; 1 at most."""
    return min(cost_ms / interval_ms + (interval_ms / 2 + restart_ms) / mttf_ms, 1.0)


def expected_ms(job: Job, *, now_ms: int) -> float:
    """Between failures of its gang: as others of its size have them, until it has run long enough to say itself."""
    shape = job.spec.shape
    gpus = shape.nodes_max * shape.per_node.milli_gpu / 1_000
    a_day = gpus * PER_GPU_DAY if gpus else shape.nodes_max * PER_NODE_DAY
    ran_ms = sum(_ran_ms(attempt, now_ms) for attempt in job.attempts)
    failures = sum(attempt.verdict in _FAILURES for attempt in job.attempts)
    return (DAY_MS / a_day + ran_ms) / (1 + failures)


_FAILURES = frozenset({Verdict.INFRASTRUCTURE, Verdict.HANG})


def _gaps(job: Job) -> list[int]:
    """Between checkpoints that followed each other in one attempt."""
    pairs = zip(job.history, job.history[1:], strict=False)
    return [
        later.at_ms - earlier.at_ms
        for earlier, later in pairs
        if earlier.attempt == later.attempt and later.at_ms > earlier.at_ms
    ]


def _ran_ms(attempt: Attempt, now_ms: int) -> int:
    if attempt.running_ms is None:
        return 0
    return max((attempt.ended_ms or now_ms) - attempt.running_ms, 0)


def _restart_ms(attempts: tuple[Attempt, ...]) -> float:
    """From a placement to the first step."""
    known = [each.first_step_ms - each.placed_ms for each in attempts if each.first_step_ms]
    return median(known) if known else 0
