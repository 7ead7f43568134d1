"""After a restart: what engines really have against what is on record, and everything under way asked for again."""

from dataclasses import dataclass

from gigawatt.model.action import StartAttempt, StopAttempt
from gigawatt.model.attempt import Attempt, AttemptPhase
from gigawatt.model.endpoint import Endpoint, Replica
from gigawatt.model.environment import EnvironmentPhase
from gigawatt.model.job import Job, JobPhase
from gigawatt.model.launch import AttemptKey
from gigawatt.model.observation import AttemptGone, NodeLost, Observation, RankExited
from gigawatt.model.values import replace
from gigawatt.reconcile import (
    apply,
    arrays,
    attempts,
    blame,
    checkpoints,
    deadlines,
    endpoints,
    environments,
    hangs,
    jobs,
    nodes,
    reservations,
    schedules,
    spending,
    storage,
    workspaces,
)
from gigawatt.reconcile.attempts import Owner
from gigawatt.reconcile.turn import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the engines told: which nodes answer, which attempts they know, and all of it retold."""

    nodes: tuple[str, ...]
    attempts: tuple[AttemptKey, ...]
    observations: tuple[Observation, ...]


def adopt(turn: Turn, found: Found) -> None:
    """Bring the record up to what is there. Running gangs go on with the same processes."""
    for seen in found.observations:
        apply.observation(turn, seen)
    for node in sorted(turn.world.nodes):
        if node not in found.nodes:
            reason = "it did not answer when the control plane started"
            nodes.lost(turn, NodeLost(at_ms=turn.now_ms, node=node, reason=reason))
    for owner in _with_live_attempts(turn):
        attempt = owner.attempt
        assert attempt is not None
        if attempts.key_of(owner, attempt) not in found.attempts:
            _missing(turn, owner, attempt)
        elif attempt.phase is AttemptPhase.RUNNING:
            blame.began(turn, owner, attempt)
            if isinstance(owner, Job):
                hangs.resume(turn, owner, attempt)
        elif attempt.phase is AttemptPhase.STOPPING:
            key, grace_s = attempts.key_of(owner, attempt), owner_grace_s(owner)
            signal_ms = (attempt.stopping_ms or 0) + attempt.notice_ms
            after_s = max(signal_ms - turn.now_ms, 0) / 1000
            turn.act(StopAttempt(key=key, grace_s=grace_s, after_s=after_s))
    nodes.resume(turn)
    storage.resume(turn)
    spending.resume(turn)
    _resume(turn)


def owner_grace_s(owner: Owner) -> int:
    """Seconds between SIGTERM and SIGKILL when a stop is asked for again."""
    return 0 if isinstance(owner, Replica) else owner.spec.grace_s


def _with_live_attempts(turn: Turn) -> list[Owner]:
    world = turn.world
    owners: list[Owner] = [
        *world.jobs.values(),
        *world.replicas.values(),
        *world.workspaces.values(),
    ]
    return [owner for owner in owners if owner.attempt and owner.attempt.live]


def _missing(turn: Turn, owner: Owner, attempt: Attempt) -> None:
    """An attempt on record that no engine knows: launched again if it never was, lost otherwise."""
    if attempt.phase is AttemptPhase.PLACED:
        turn.act(StartAttempt(launch=attempts.launch_of(turn, owner, attempt)))
        return
    key = attempts.key_of(owner, attempt)
    for rank in attempt.ranks:
        if not rank.exited:
            gone = RankExited(at_ms=turn.now_ms, key=key, rank=rank.rank, lost=True)
            apply.observation(turn, gone)
    apply.observation(turn, AttemptGone(at_ms=turn.now_ms, key=key))


def _resume(turn: Turn) -> None:
    """Ask again for what was under way outside, and set every timer anew."""
    world = turn.world
    for environment in tuple(world.environments.values()):
        if environment.phase is EnvironmentPhase.BUILDING:
            environments.build(turn, environment)
        elif environment.phase is EnvironmentPhase.REMOVED and environment.path:
            environments.delete(turn, environment)
    for job in tuple(world.jobs.values()):
        if job.phase is JobPhase.SAVING:
            jobs.save_output(turn, job)
        checkpoints.prune(turn, job)
        _set_timers(turn, job)
    for array in tuple(world.arrays.values()):
        arrays.resume(turn, array)
    for replica in world.replicas.values():
        turn.due(turn.now_ms, replica.id)
    for schedule in world.schedules.values():
        schedules.arm(turn, schedule)
    for endpoint in tuple(world.endpoints.values()):
        endpoints.scale(turn, _quiet_from_now(turn, endpoint))
    workspaces.resume(turn)
    reservations.resume(turn)


def _quiet_from_now(turn: Turn, endpoint: Endpoint) -> Endpoint:
    """The demand on record is old: a quiet window starts anew, and gateways tell what there really is."""
    if endpoint.demand is None:
        return endpoint
    demand = replace(endpoint.demand, in_flight=0, queued=0, last_request_ms=turn.now_ms)
    return turn.touch(replace(endpoint, demand=demand))


def _set_timers(turn: Turn, job: Job) -> None:
    turn.due(turn.now_ms + attempts.STOP_OVERDUE_MS, job.id)
    deadlines.arm(turn, job)
    attempt = job.attempt
    if job.spec.timeout_s and attempt and attempt.live and attempt.running_ms is not None:
        turn.due(attempt.running_ms + job.spec.timeout_s * 1000, job.id)
