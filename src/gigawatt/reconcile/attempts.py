"""The life of an attempt, the same for all that has gangs: placed, started, watched, stopped, ended and judged."""

from collections.abc import Sequence

from gigawatt.model.action import ReleaseAttempt, StartAttempt, StopAttempt
from gigawatt.model.attempt import Attempt, AttemptPhase, Evidence, RankStatus, Verdict
from gigawatt.model.decision import Start
from gigawatt.model.endpoint import Readiness, Replica
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.ledger import TimeClass
from gigawatt.model.observation import (
    LaunchAccepted,
    LaunchFailed,
    LaunchPreparing,
    RankExited,
    RankStarted,
)
from gigawatt.model.values import replace
from gigawatt.model.work import Work
from gigawatt.model.workspace import Workspace, WorkspacePhase
from gigawatt.reconcile import blame, node_life, uses
from gigawatt.reconcile.launches import job_launch, new_attempt, replica_launch
from gigawatt.reconcile.turn import Turn
from gigawatt.reconcile.verdict import evidence_of_exit
from gigawatt.reconcile.workspace_launch import workspace_launch

Owner = Work

LAUNCH_OVERDUE_MS = 60_000  # a launch that no engine accepts in this time has failed
HUNG_GRACE_S = 2  # of what hangs: it will not save
STOP_OVERDUE_MS = 15_000  # beyond its grace, a stop is asked for again

# A person's word counts also while it is being stopped for another gang: it is not to come back.
OVERRULES = {Verdict.CANCELLED: {None, Verdict.PREEMPTION}}

STOPPABLE = frozenset({AttemptPhase.PLACED, AttemptPhase.STARTING, AttemptPhase.RUNNING})


def find(turn: Turn, key: AttemptKey) -> tuple[Owner, Attempt] | None:
    """The live attempt that `key` names; None for one that has ended or was never made."""
    owner = owner_of(turn, key.gang)
    attempt = owner.attempt if owner else None
    if owner is None or attempt is None or attempt.n != key.attempt or not attempt.live:
        return None
    return owner, attempt


def owner_of(turn: Turn, gang: str) -> Owner | None:
    """What a gang belongs to, if that is live."""
    world = turn.world
    return world.jobs.get(gang) or world.replicas.get(gang) or world.workspaces.get(gang)


def key_of(owner: Owner, attempt: Attempt) -> AttemptKey:
    return AttemptKey(gang=owner.id, attempt=attempt.n)


def noun(owner: Owner) -> str:
    """What events call it."""
    return type(owner).__name__.lower()


def start(turn: Turn, owner: Owner, placement: Start) -> None:
    """Make the next attempt where the scheduler said, and have it launched. What was kept for it is its own now."""
    if owner.claim is not None:
        owner = replace(owner, claim=None)
    attempt = new_attempt(owner, placement, world=turn.world, now_ms=turn.now_ms)
    if isinstance(owner, Job):
        placed = turn.put(owner.moved(JobPhase.STARTING).with_attempt(attempt))
    elif isinstance(owner, Workspace):
        placed = turn.put(owner.moved(WorkspacePhase.STARTING).with_attempt(attempt))
    else:
        placed = turn.put(owner.with_attempt(attempt))
    uses.begin(turn, placed, attempt)
    borrows = f"; it borrows beyond the quota of {placement.borrows}" if placement.borrows else ""
    where = f"attempt {attempt.n} on {', '.join(attempt.nodes)}"
    turn.emit(f"{noun(owner)}.placed", placed, where + borrows)
    turn.act(StartAttempt(launch=launch_of(turn, placed, attempt)))
    turn.due(turn.now_ms + LAUNCH_OVERDUE_MS, owner.id)


def launch_of(turn: Turn, owner: Owner, attempt: Attempt) -> Launch:
    """What an engine needs to start it."""
    if isinstance(owner, Job):
        return job_launch(owner, attempt, world=turn.world, site=turn.site)
    if isinstance(owner, Workspace):
        return workspace_launch(owner, attempt, world=turn.world)
    endpoint = turn.world.endpoints[owner.endpoint]
    return replica_launch(owner, endpoint, attempt, world=turn.world)


def preparing(turn: Turn, owner: Owner, attempt: Attempt, seen: LaunchPreparing) -> None:
    """Its nodes fetch what it needs: the launch is not overdue as long as that is told."""
    if attempt.phase is AttemptPhase.PLACED:
        turn.put(owner.with_attempt(replace(attempt, prepared_ms=seen.at_ms)))


def accepted(turn: Turn, owner: Owner, attempt: Attempt, seen: LaunchAccepted) -> None:
    after = replace(attempt, master_port=seen.master_port, port=seen.port)
    if seen.reference and all(fact.detail != seen.reference for fact in after.evidence):
        fact = Evidence(at_ms=seen.at_ms, what="engine", detail=seen.reference)
        after = replace(after, evidence=(*after.evidence, fact))
    if attempt.phase is AttemptPhase.PLACED:
        after = replace(after.moved(AttemptPhase.STARTING), starting_ms=seen.at_ms)
    if after != attempt:
        turn.put(owner.with_attempt(after))


def ranks_started(turn: Turn, owner: Owner, attempt: Attempt, seen: Sequence[RankStarted]) -> Owner:
    """Note ranks' processes; with the last one the attempt runs."""
    after = attempt.with_ranks(
        replace(attempt.rank(each.rank), pid=each.pid, address=each.address, started_ms=each.at_ms)
        for each in seen
        if attempt.rank(each.rank).pid != each.pid
    )
    if after is attempt:
        return owner
    if after.phase in {AttemptPhase.PLACED, AttemptPhase.STARTING} and _all_started(after):
        return _runs(turn, owner, after, seen[-1].at_ms)
    return turn.put(owner.with_attempt(after))


def ranks_exited(turn: Turn, owner: Owner, attempt: Attempt, seen: Sequence[RankExited]) -> Owner:
    """Note ends. The first failure stops the rest of the gang."""
    first: dict[int, RankExited] = {}  # told twice, it is the first that counts
    for each in seen:
        if not attempt.rank(each.rank).exited:
            first.setdefault(each.rank, each)
    if not first:
        return owner
    fresh = list(first.values())
    ranks = [
        replace(
            attempt.rank(each.rank),
            ended_ms=each.at_ms,
            exit_code=each.exit_code,
            signal=each.signal,
            last_lines=each.last_lines,
            asked=each.asked,
        )
        for each in fresh
    ]
    facts = [
        fact
        for each, rank in zip(fresh, ranks, strict=True)
        if not each.asked
        if (fact := evidence_of_exit(rank, oom=each.oom, lost=each.lost))
    ]
    after = attempt.with_ranks(ranks)
    if facts:
        after = replace(after, evidence=(*after.evidence, *facts))
    owner = turn.put(owner.with_attempt(after))
    for fact in facts:
        turn.emit(f"{noun(owner)}.rank_failed", owner, f"rank {fact.rank}: {fact.detail}")
    if facts and after.phase in STOPPABLE:
        return stop(turn, owner, after, cause=None)
    return owner


def launch_failed(turn: Turn, owner: Owner, attempt: Attempt, seen: LaunchFailed) -> Owner:
    """Nothing of it runs: note why, and end it."""
    fact = Evidence(
        at_ms=seen.at_ms,
        what="launch_refused" if seen.user else "launch_failed",
        detail=seen.reason,
        node=seen.node,
    )
    after = replace(attempt, evidence=(*attempt.evidence, fact))
    return finish(turn, turn.put(owner.with_attempt(after)), after)


def node_lost(turn: Turn, owner: Owner, attempt: Attempt, node: str, reason: str) -> Owner:
    """Its ranks on a lost node have ended, as far as anyone can tell; the others are stopped."""
    after = attempt
    for rank in attempt.ranks:
        if rank.node == node and not rank.exited:
            after = after.with_rank(replace(rank, ended_ms=turn.now_ms))
    fact = Evidence(at_ms=turn.now_ms, what="node_down", detail=reason, node=node)
    after = replace(after, evidence=(*after.evidence, fact))
    owner = turn.put(owner.with_attempt(after))
    if after.phase in STOPPABLE:
        return stop(turn, owner, after, cause=None)
    return owner


def stop(
    turn: Turn, owner: Owner, attempt: Attempt, *, cause: Verdict | None, after_s: float = 0.0
) -> Owner:
    """Have every rank stopped. `cause` is None when the verdict is to follow from the evidence."""
    grace_s = _grace_s(turn, owner)
    if cause is Verdict.HANG:
        grace_s = min(grace_s, HUNG_GRACE_S)
    if attempt.phase in STOPPABLE:
        attempt = replace(attempt.moved(AttemptPhase.STOPPING), stopping_ms=turn.now_ms)
    if cause is not None and attempt.stop_cause in OVERRULES.get(cause, {None}):
        attempt = replace(attempt, stop_cause=cause)
    stopped = owner.with_attempt(attempt)
    if isinstance(stopped, Job) and stopped.phase is not JobPhase.STOPPING:
        stopped = stopped.moved(JobPhase.STOPPING)
    stopped = turn.put(stopped)
    if cause is Verdict.PREEMPTION:
        uses.reclass(turn, stopped, attempt, TimeClass.PREEMPTED)
    turn.act(StopAttempt(key=key_of(owner, attempt), grace_s=grace_s, after_s=after_s))
    turn.due(turn.now_ms + attempt.notice_ms + grace_s * 1000 + STOP_OVERDUE_MS, owner.id)
    return stopped


def finish(turn: Turn, owner: Owner, attempt: Attempt) -> Owner:
    """Nothing of it is left: judge it, close its accounts and let the engine forget it."""
    owner, judged = blame.judged(turn, owner, attempt)
    verdict = judged.verdict
    assert verdict is not None
    ended = replace(judged.moved(AttemptPhase.ENDED), ended_ms=turn.now_ms, ready=False)
    if isinstance(owner, Workspace):
        uses.confirm(turn, owner, attempt)  # what a person did is done, however it ended
    uses.end(turn, owner, attempt, verdict)
    owner = turn.put(owner.with_attempt(ended))
    turn.emit(
        f"{noun(owner)}.attempt_ended",
        owner,
        f"attempt {ended.n}: {verdict}",
        (("verdict", verdict.value),),
    )
    turn.act(ReleaseAttempt(key=key_of(owner, attempt)))
    blame.laid_to_nodes(turn, owner, ended)
    for node in attempt.nodes:
        node_life.emptied(turn, node)
    return owner


def overdue(turn: Turn, owner: Owner, attempt: Attempt) -> None:
    """Look at a launch or a stop that should be over by now, or look again when it should be."""
    if attempt.phase is AttemptPhase.PLACED:
        limit_ms = (attempt.prepared_ms or attempt.placed_ms) + LAUNCH_OVERDUE_MS
        if turn.now_ms < limit_ms:
            turn.due(limit_ms, owner.id)
            return
        fact = Evidence(
            at_ms=turn.now_ms,
            what="launch_failed",
            detail=f"no engine accepted it in {LAUNCH_OVERDUE_MS // 1000} s",
        )
        stop(turn, owner, replace(attempt, evidence=(*attempt.evidence, fact)), cause=None)
    elif attempt.phase is AttemptPhase.STOPPING:
        assert attempt.stopping_ms is not None
        asked_ms = attempt.stopping_ms + attempt.notice_ms
        limit_ms = asked_ms + _grace_s(turn, owner) * 1000 + STOP_OVERDUE_MS
        if turn.now_ms >= limit_ms:
            turn.act(StopAttempt(key=key_of(owner, attempt), grace_s=0))
            limit_ms = turn.now_ms + STOP_OVERDUE_MS
        turn.due(limit_ms, owner.id)


def _runs(turn: Turn, owner: Owner, attempt: Attempt, at_ms: int) -> Owner:
    after = replace(attempt.moved(AttemptPhase.RUNNING), running_ms=at_ms)
    running = owner.with_attempt(after)
    blame.began(turn, running, after)
    if isinstance(running, Job):
        running = turn.put(running.moved(JobPhase.RUNNING))
        uses.reclass(turn, running, after, TimeClass.USEFUL)
        if running.spec.timeout_s:
            turn.due(at_ms + running.spec.timeout_s * 1000, running.id)
    else:
        running = turn.put(running)
        turn.due(at_ms + _readiness(turn, running).timeout_s * 1000, running.id)
    turn.emit(f"{noun(owner)}.running", running, f"attempt {after.n} runs")
    return running


def _all_started(attempt: Attempt) -> bool:
    return all(_started(rank) for rank in attempt.ranks)


def _started(rank: RankStatus) -> bool:
    return rank.pid is not None


def _grace_s(turn: Turn, owner: Owner) -> int:
    if isinstance(owner, Job | Workspace):
        return owner.spec.grace_s
    endpoint = turn.world.endpoints.get(owner.endpoint)
    return endpoint.spec_of(owner.generation).grace_s if endpoint else 0


def _readiness(turn: Turn, owner: Replica | Workspace) -> Readiness:
    if isinstance(owner, Workspace):
        return owner.spec.readiness
    return turn.world.endpoints[owner.endpoint].spec_of(owner.generation).readiness
