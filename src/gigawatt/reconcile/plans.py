"""Plans carried out: victims are told and stopped in one transaction, and what is freed is on record for whom.

Everything that is needed to go on is on the gangs themselves: a claim on the one that waits and on each that moves,
and on each attempt that is stopped, for whom. A new leader finds it there and asks for the stops again.
"""

from gigawatt.model.action import NotifyAttempt
from gigawatt.model.attempt import AttemptPhase, Evidence, Verdict
from gigawatt.model.endpoint import Replica
from gigawatt.model.job import Job
from gigawatt.model.plan import Lapse, Plan, Victim
from gigawatt.model.values import replace
from gigawatt.reconcile import attempts
from gigawatt.reconcile.attempts import Owner
from gigawatt.reconcile.turn import Turn

MILLI_GPU_MS = 1_000_000  # in a GPU-second
ANOTHER = "another tenant"  # whose gangs are nobody else's business


def carry_out(turn: Turn, plan: Plan) -> None:
    """Keep for the gang what the plan proves, and stop or move all of its victims."""
    claimant = attempts.owner_of(turn, plan.gang)
    assert claimant is not None, f"{plan.gang} was planned for and is not there"
    claimant = turn.put(replace(claimant, claim=plan.claim))
    claim = plan.claim
    turn.emit(
        f"{attempts.noun(claimant)}.planned",
        claimant,
        f"{plan.taking}: {claim.stopped} stop and {claim.moved} move for it",
        (("taking", plan.taking.value), ("price_milli_gpu_ms", str(plan.price))),
    )
    for victim in plan.victims:
        _stop(turn, plan, victim, claimant)


def lapse(turn: Turn, lapsed: Lapse) -> None:
    """Nothing is kept for a gang any more; that it was, and why not, stays on it until it starts."""
    owner = attempts.owner_of(turn, lapsed.gang)
    if owner is None or owner.claim is None:
        return
    claim = replace(owner.claim, lapsed_ms=turn.now_ms, why=lapsed.why)
    after = turn.put(replace(owner, claim=claim))
    turn.emit(f"{attempts.noun(after)}.plan_lapsed", after, lapsed.why)


def _stop(turn: Turn, plan: Plan, victim: Victim, claimant: Owner) -> None:
    owner = attempts.owner_of(turn, victim.gang)
    attempt = owner.attempt if owner else None
    assert owner and attempt and attempt.n == victim.attempt, f"{victim} does not run"
    how = "moved" if victim.claim else "stopped"
    lost = f"{victim.lost // MILLI_GPU_MS} GPU-s since its last checkpoint"
    theirs = owner.tenant != claimant.tenant
    whom = ANOTHER if theirs else f"{_name(claimant)} ({plan.gang})"
    detail = f"{how} for {whom} by {plan.taking}: {lost}"
    fact = Evidence(at_ms=turn.now_ms, what="preempted", detail=detail)
    notice_ms = plan.notice_ms if _saves(owner) else 0
    told = replace(
        attempt,
        stopped_for=ANOTHER if theirs else plan.gang,
        notice_ms=notice_ms,
        evidence=(*attempt.evidence, fact),
    )
    if notice_ms:
        by_ms = turn.now_ms + notice_ms
        turn.act(NotifyAttempt(key=attempts.key_of(owner, attempt), checkpoint_by_ms=by_ms))
    stopped = attempts.stop(
        turn,
        replace(owner, claim=victim.claim),
        told,
        cause=Verdict.PREEMPTION,
        after_s=notice_ms / 1000,
    )
    data = (
        ("for", told.stopped_for),
        ("taking", plan.taking.value),
        ("lost_milli_gpu_ms", str(victim.lost)),
    )
    turn.emit(f"{attempts.noun(stopped)}.preempted", stopped, detail, data)


def _saves(owner: Owner) -> bool:
    """Whether it runs and has saved before: one that never has is not given time to."""
    attempt = owner.attempt
    running = attempt is not None and attempt.phase is AttemptPhase.RUNNING
    return running and isinstance(owner, Job) and owner.checkpoint is not None


def _name(owner: Owner) -> str:
    return owner.endpoint if isinstance(owner, Replica) else owner.spec.name
