"""Growing: an elastic job that may have more nodes is asked for a checkpoint, and starts again on them once it has one."""

from dataclasses import replace

from gigawatt.model.action import NotifyAttempt
from gigawatt.model.attempt import Evidence, Verdict
from gigawatt.model.plan import Growth
from gigawatt.reconcile import attempts
from gigawatt.reconcile.turn import Turn

ANSWER_MS = 600_000  # in which a checkpoint is asked for; without one it goes on as it is


def carry_out(turn: Turn, growth: Growth) -> None:
    """Ask it to save, or, where it just has, stop it with its larger place kept for it."""
    job = turn.world.jobs[growth.gang]
    attempt = job.attempt
    assert attempt is not None and attempt.n == growth.attempt, f"{growth} does not run"
    claim = growth.claim
    change = f"{len(claim.nodes) - claim.spares} nodes instead of {len(attempt.nodes)}"
    if not growth.saved:
        asked = turn.put(job.with_attempt(replace(attempt, grow_asked_ms=turn.now_ms)))
        by_ms = turn.now_ms + ANSWER_MS
        turn.act(NotifyAttempt(key=attempts.key_of(job, attempt), checkpoint_by_ms=by_ms))
        turn.emit("job.grow_asked", asked, f"asked for a checkpoint, to go on with {change}")
    else:
        assert job.checkpoint is not None
        detail = f"stopped at the checkpoint of step {job.checkpoint.step}, to go on with {change}"
        fact = Evidence(at_ms=turn.now_ms, what="grows", detail=detail)
        told = replace(attempt, stopped_for=job.id, evidence=(*attempt.evidence, fact))
        claimed = replace(job, claim=claim)
        stopped = attempts.stop(turn, claimed, told, cause=Verdict.PREEMPTION)
        turn.emit("job.grows", stopped, detail)
