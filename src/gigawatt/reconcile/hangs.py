"""Jobs that make no progress any more, and ranks that hold the others up: from the steps that ranks report.

A rank that has reported steps and then is silent for many times its median step hangs. Where it is in its program is
put on record; then the attempt is stopped and the job tried again, from its checkpoint.
"""

from gigawatt.model.action import ProbeAttempt
from gigawatt.model.attempt import Attempt, AttemptPhase, Evidence, Verdict
from gigawatt.model.checkpoint import Checkpoint
from gigawatt.model.job import HANG_OFF, Job
from gigawatt.model.observation import RankProgress, StacksSeen
from gigawatt.model.pace import OWN_TIME, STEPS_MIN, Pace, RankPace
from gigawatt.model.values import replace
from gigawatt.reconcile import attempts
from gigawatt.reconcile.turn import Turn

AUTO_STEPS = 100  # unless the job says how many
AUTO_MS_MIN = 10 * 60_000  # evaluations and saving take their time
AUTO_GAPS = 2  # times the longest silence that was none
MS_MIN = 1_000
LATE_MS = 30_000  # a timer that comes so late says that the machine was suspended, or its clock set
PROBE_MS_MAX = 5_000  # for stacks to be seen; then it is stopped without
PROBED_MAX = 16  # ranks
STRAGGLERS_MAX = 8  # that are named in one attempt
SLOW_BY = 1.3  # times the gang's median step
TEXT_MAX = 32_000  # of stacks on record


def progressed(turn: Turn, job: Job, attempt: Attempt, seen: RankProgress) -> None:
    """A rank says how far it is."""
    if job.spec.hang_steps == HANG_OFF or attempt.phase is not AttemptPhase.RUNNING:
        return
    pace = _pace(turn, job, attempt)
    progress, known = seen.progress, pace.ranks.get(seen.rank)
    if known is None or (known.seed_ms and not known.at_ms):
        if progress.step is not None:
            pace.ranks[seen.rank] = RankPace(
                seen_ms=turn.now_ms,
                at_ms=progress.at_ms,
                step=progress.step,
                seed_ms=known.seed_ms if known else 0,
            )
        return
    own_s = dict(progress.metrics).get(OWN_TIME)
    own_ms = None if own_s is None else own_s * 1_000
    known.reported(progress.step, at_ms=progress.at_ms, now_ms=turn.now_ms, own_ms=own_ms)
    if known.median_ms and not pace.due_ms:
        _look_again(turn, job, pace)


def saved(turn: Turn, job: Job, attempt: Attempt) -> Job:
    """Now and then, with what is saved of a job's progress: keep its pace on record, and name stragglers."""
    pace = turn.world.paces.get(job.id)
    if pace is None or pace.attempt != attempt.n or job.attempt is None:
        return job
    attempt = replace(job.attempt, step_ms=round(pace.median_ms))
    for rank in _slow(pace):
        pace.told.add(rank)
        status = attempt.rank(rank)
        own_ms, all_ms = pace.ranks[rank].median_ms, pace.median_ms
        detail = f"its steps take {own_ms:.0f} ms, the gang's {all_ms:.0f} ms"
        fact = Evidence(
            at_ms=turn.now_ms, what="straggler", detail=detail, rank=rank, node=status.node
        )
        attempt = replace(attempt, evidence=(*attempt.evidence, fact))
        turn.emit("job.straggler", job, f"rank {rank} on {status.node}: {detail}")
    return job.with_attempt(attempt)


def timed(turn: Turn, job: Job, attempt: Attempt, checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint, which is a sign of life, with how long its rank made no step for it."""
    pace = turn.world.paces.get(job.id)
    own = pace.ranks.get(checkpoint.rank) if pace and pace.attempt == attempt.n else None
    if own is None:
        return checkpoint
    own.gap_ms = max(own.gap_ms, turn.now_ms - own.seen_ms)
    own.seen_ms = turn.now_ms
    cost_ms = max(checkpoint.at_ms - own.at_ms, 0) if own.at_ms else 0
    return replace(checkpoint, cost_ms=cost_ms)


def look(turn: Turn, job: Job, attempt: Attempt) -> None:
    """Whether it hangs; one that was found to, and whose stacks have not come, is stopped without them."""
    if attempt.phase is not AttemptPhase.RUNNING:
        return
    found = next((fact for fact in attempt.evidence if fact.what == "hang"), None)
    if found is not None:
        if turn.now_ms - found.at_ms >= PROBE_MS_MAX:
            attempts.stop(turn, job, attempt, cause=Verdict.HANG)
        return
    pace = turn.world.paces.get(job.id)
    if pace is None or pace.attempt != attempt.n or not 0 < pace.due_ms <= turn.now_ms:
        return
    if turn.now_ms - pace.due_ms > LATE_MS:
        for each in pace.ranks.values():
            each.seen_ms = turn.now_ms  # it was us who slept
        _look_again(turn, job, pace)
        return
    hung = [
        rank
        for rank, each in sorted(pace.ranks.items())
        if _watched(attempt, rank, each) and turn.now_ms - each.seen_ms >= limit_ms(job, each)
    ]
    if hung:
        _hangs(turn, job, attempt, pace, hung)
    else:
        _look_again(turn, job, pace)


def stacks_seen(turn: Turn, job: Job, attempt: Attempt, seen: StacksSeen) -> None:
    """Where the ranks were is on record: now it can be stopped."""
    if attempt.phase is not AttemptPhase.RUNNING:
        return
    if seen.text:
        fact = Evidence(at_ms=seen.at_ms, what="stacks", detail=seen.text[:TEXT_MAX])
        attempt = replace(attempt, evidence=(*attempt.evidence, fact))
    attempts.stop(turn, job, attempt, cause=Verdict.HANG)


def resume(turn: Turn, job: Job, attempt: Attempt) -> None:
    """After a restart of the control plane its silence counts from now, by the pace that is on record."""
    if attempt.phase is not AttemptPhase.RUNNING or not attempt.step_ms:
        return
    if job.spec.hang_steps == HANG_OFF:
        return
    pace = _pace(turn, job, attempt)
    step = job.progress.step if job.progress and job.progress.step is not None else 0
    pace.ranks[0] = RankPace(seen_ms=turn.now_ms, at_ms=0, step=step, seed_ms=attempt.step_ms)
    _look_again(turn, job, pace)


def limit_ms(job: Job, pace: RankPace) -> int:
    """How long a rank may be silent."""
    if job.spec.hang_steps:
        return max(round(job.spec.hang_steps * pace.median_ms), MS_MIN)
    return max(round(AUTO_STEPS * pace.median_ms), AUTO_MS_MIN, AUTO_GAPS * pace.gap_ms)


def _pace(turn: Turn, job: Job, attempt: Attempt) -> Pace:
    pace = turn.world.paces.get(job.id)
    if pace is None or pace.attempt != attempt.n:
        pace = turn.world.paces[job.id] = Pace(attempt=attempt.n)
    return pace


def _watched(attempt: Attempt, rank: int, pace: RankPace) -> bool:
    return pace.median_ms > 0 and not attempt.rank(rank).exited


def _look_again(turn: Turn, job: Job, pace: Pace) -> None:
    """When the first of the ranks would be silent for too long."""
    attempt = job.attempt
    assert attempt is not None
    times = [
        each.seen_ms + limit_ms(job, each)
        for rank, each in pace.ranks.items()
        if _watched(attempt, rank, each)
    ]
    pace.due_ms = max(min(times), turn.now_ms + 1) if times else 0
    if pace.due_ms:
        turn.due(pace.due_ms, job.id)


def _hangs(turn: Turn, job: Job, attempt: Attempt, pace: Pace, hung: list[int]) -> None:
    """The rank that is furthest behind, or has been silent longest, is the one to look at."""
    first = min(hung, key=lambda rank: (pace.ranks[rank].step, pace.ranks[rank].seen_ms, rank))
    own = pace.ranks[first]
    ahead = [rank for rank in pace.ranks if pace.ranks[rank].step > own.step]
    alone = bool(ahead) or len(hung) < len(pace.ranks) or len(attempt.ranks) == 1
    silent_ms = turn.now_ms - own.seen_ms
    others = f"; {len(ahead)} of {len(pace.ranks)} ranks are further" if ahead else ""
    detail = (
        f"no progress after step {own.step} for {silent_ms / 1_000:.1f} s,"
        f" and a step takes {own.median_ms:.0f} ms{others}"
    )
    fact = Evidence(
        at_ms=turn.now_ms,
        what="hang",
        detail=detail,
        rank=first,
        node=attempt.rank(first).node if alone else "",
    )
    after = replace(attempt, evidence=(*attempt.evidence, fact), last_step=own.step)
    found = turn.put(job.with_attempt(after))
    turn.emit("job.hangs", found, f"rank {first} on {attempt.rank(first).node}: {detail}")
    ranks = tuple(dict.fromkeys([first, *hung, *sorted(pace.ranks)]))[:PROBED_MAX]
    turn.act(ProbeAttempt(key=attempts.key_of(job, attempt), ranks=tuple(sorted(ranks))))
    turn.due(turn.now_ms + PROBE_MS_MAX, job.id)


def _slow(pace: Pace) -> list[int]:
    """Ranks that hold the others up and have not been named."""
    known = {
        rank: each.median_ms
        for rank, each in sorted(pace.ranks.items())
        if len(each.steps_ms) >= 2 * STEPS_MIN
    }
    if len(known) < 2:
        return []
    slow_ms = SLOW_BY * pace.median_ms
    slow = [rank for rank, ms in known.items() if ms > slow_ms and rank not in pace.told]
    slowest = sorted(slow, key=lambda rank: (-known[rank], rank))
    return slowest[: max(STRAGGLERS_MAX - len(pace.told), 0)]
