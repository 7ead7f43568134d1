"""Replicas: gangs that serve an endpoint, made and retired as it scales."""

import itertools
from collections.abc import Iterable

from gigawatt.model.attempt import Attempt, AttemptPhase, Evidence, Verdict
from gigawatt.model.endpoint import (
    ENDPOINT_LABEL,
    Demand,
    Endpoint,
    EndpointPhase,
    Replica,
    StartTimes,
)
from gigawatt.model.ledger import TimeClass
from gigawatt.model.observation import DemandSeen, ReplicaReadiness
from gigawatt.model.values import replace
from gigawatt.reconcile import attempts, rollouts, uses
from gigawatt.reconcile.turn import Turn
from gigawatt.routing.rollout import NO_ROOM_MS

ATTEMPTS_MAX = 5  # of one replica, when infrastructure ends them
PAUSE_MS = 500  # before the replica after the first failure; doubled with each further one
PAUSE_MAX_MS = 30_000
NOTICE_S = 0.5  # between gateways hearing of a retirement and its first signal
DRAIN_HEARD_MS = 1_000  # until gateways have heard that a replica is to get no more requests
DEMAND_SAVED_EVERY_MS = 5_000


def of(turn: Turn, endpoint: Endpoint) -> list[Replica]:
    """Its replicas that have not ended, sorted by id."""
    found = [r for r in turn.world.replicas.values() if r.endpoint == endpoint.id]
    return sorted(found, key=lambda replica: replica.id)


def create(turn: Turn, endpoint: Endpoint, *, generation: int) -> Replica:
    """One more gang in the line, of one of the endpoint's revisions."""
    spec = endpoint.spec_of(generation)
    taken = {replica.id for replica in of(turn, endpoint)}
    numbers, name_of = itertools.count(1), spec.name
    name = next(name for n in numbers if (name := f"{endpoint.id}.{turn.now_ms}.{n}") not in taken)
    replica = turn.put(
        Replica(
            id=name,
            endpoint=endpoint.id,
            tenant=endpoint.tenant,
            project=endpoint.project,
            shape=spec.shape,
            priority=spec.priority,
            queued_ms=turn.now_ms,
            generation=generation,
            volumes=spec.volumes,
            labels=tuple(sorted({**dict(spec.labels), ENDPOINT_LABEL: name_of}.items())),
        )
    )
    if endpoint.rollout is not None:  # where there is no room for it, that is to be seen
        turn.due(turn.now_ms + NO_ROOM_MS, endpoint.id)
    turn.emit("replica.created", replica, spec.name)
    return replica


def retire(turn: Turn, endpoint: Endpoint, replica: Replica) -> None:
    """It is not wanted any more: it is given no requests, and stopped once it has answered those that it has."""
    attempt = replica.attempt
    if attempt is None or not attempt.live:
        _end(turn, replace(replica, stopping=True))
        return
    retiring = turn.put(replace(replica, stopping=True))
    if attempt.phase not in attempts.STOPPABLE:
        return
    if replica.ready and endpoint.phase is not EndpointPhase.STOPPING and _open(endpoint, replica):
        drain(turn, endpoint, turn.put(replace(retiring, draining_ms=turn.now_ms)))
    else:
        attempts.stop(turn, retiring, attempt, cause=Verdict.CANCELLED, after_s=NOTICE_S)


def drain(turn: Turn, endpoint: Endpoint, replica: Replica) -> None:
    """Stop one that is given no requests, if it has none any more or has had long enough."""
    attempt, since_ms = replica.attempt, replica.draining_ms
    if attempt is None or since_ms is None or attempt.phase not in attempts.STOPPABLE:
        return
    heard_ms = since_ms + DRAIN_HEARD_MS
    until_ms = since_ms + endpoint.spec.rollout.drain_s * 1000
    told = endpoint.demand is not None and endpoint.demand.at_ms >= heard_ms
    empty = told and not _open(endpoint, replica)
    if empty or turn.now_ms >= until_ms or endpoint.phase is EndpointPhase.STOPPING:
        attempts.stop(turn, replica, attempt, cause=Verdict.CANCELLED, after_s=NOTICE_S)
    else:
        turn.due(until_ms, endpoint.id)


def least_useful_first(replicas: Iterable[Replica]) -> list[Replica]:
    """The order in which surplus ones are retired: not started, not ready, then the newest."""
    return sorted(replicas, key=lambda r: (r.ready, r.attempt is not None, -r.queued_ms, r.id))


def readiness(turn: Turn, replica: Replica, attempt: Attempt, seen: ReplicaReadiness) -> None:
    """It answers, or has stopped answering, its readiness probe."""
    if attempt.ready == seen.ready or attempt.phase is not AttemptPhase.RUNNING:
        return
    first = seen.ready and attempt.ready_ms is None
    ready_ms = seen.at_ms if first else attempt.ready_ms
    after = turn.put(replica.with_attempt(replace(attempt, ready=seen.ready, ready_ms=ready_ms)))
    endpoint = turn.world.endpoints[replica.endpoint]
    if seen.ready:
        uses.reclass(turn, after, attempt, TimeClass.SERVING_IDLE)
        start = start_times(after) if first else endpoint.start
        turn.put(replace(endpoint, failures=0, not_before_ms=0, message="", start=start))
    turn.emit("replica.ready" if seen.ready else "replica.unready", after, seen.detail)


def start_times(replica: Replica) -> StartTimes | None:
    """The stages of a replica that is ready: from when it was wanted, or its attempt before had ended."""
    attempt = replica.attempt
    if attempt is None or attempt.ready_ms is None:
        return None
    before = replica.attempts[-2].ended_ms if len(replica.attempts) > 1 else None
    times = [before or replica.queued_ms]
    for at_ms in (attempt.placed_ms, attempt.starting_ms, attempt.running_ms, attempt.ready_ms):
        times.append(max(times[-1] if at_ms is None else at_ms, times[-1]))
    place, fetch, launch, load = (after_ms - at_ms for at_ms, after_ms in itertools.pairwise(times))
    return StartTimes(place_ms=place, fetch_ms=fetch, launch_ms=launch, load_ms=load)


def demand(turn: Turn, endpoint: Endpoint, seen: DemandSeen) -> Endpoint:
    """What the gateway counts: kept live, saved now and then, and told to the ledger."""
    before = endpoint.demand or Demand(at_ms=seen.at_ms)
    after = Demand(
        at_ms=seen.at_ms,
        in_flight=seen.in_flight,
        queued=seen.queued,
        last_request_ms=max(before.last_request_ms, seen.last_request_ms),
        requests=before.requests + seen.requests_more,
        prompt_tokens=before.prompt_tokens + seen.prompt_tokens_more,
        completion_tokens=before.completion_tokens + seen.completion_tokens_more,
        backlog_tokens=seen.backlog_tokens,
        ttft_ms=seen.ttft_ms,
        tpot_ms=seen.tpot_ms,
        cache_percent=seen.cache_percent,
        open=seen.open,
    )
    changed = rollouts.seen(replace(endpoint, demand=after), seen)
    for replica, busy_ms in seen.busy_ms_more:
        _served(turn, endpoint, replica, busy_ms)
    counted = after.requests != before.requests
    saved_ms = turn.world.saved_ms.get(endpoint.id, 0)
    if counted and turn.now_ms - saved_ms >= DEMAND_SAVED_EVERY_MS:
        turn.world.saved_ms[endpoint.id] = turn.now_ms
        return turn.put(changed)
    return turn.touch(changed)


def attempt_ended(turn: Turn, replica: Replica, attempt: Attempt) -> None:
    """Retired ones are done; the infrastructure's victims wait for a place again; failures count."""
    if replica.stopping:
        _end(turn, replica)
        return
    again = attempt.verdict is Verdict.PREEMPTION or (
        attempt.verdict is Verdict.INFRASTRUCTURE and attempt.n < ATTEMPTS_MAX
    )
    if again:
        return
    _end(turn, replica)
    endpoint = turn.world.endpoints[replica.endpoint]
    pause_ms = min(PAUSE_MS << min(endpoint.failures, 10), PAUSE_MAX_MS)
    fact = attempt.evidence[0].detail if attempt.evidence else "it exited"
    failed = turn.put(
        replace(
            rollouts.replica_failed(endpoint, replica),
            failures=endpoint.failures + 1,
            not_before_ms=turn.now_ms + pause_ms,
            message=f"a replica failed: {fact}",
        )
    )
    turn.emit("endpoint.replica_failed", failed, failed.message)


def due(turn: Turn, replica: Replica) -> None:
    """A timer of this replica has run out."""
    attempt = replica.attempt
    if attempt is None or not attempt.live:
        return
    attempts.overdue(turn, replica, attempt)
    endpoint = turn.world.endpoints[replica.endpoint]
    timeout_s = endpoint.spec_of(replica.generation).readiness.timeout_s
    if attempt.phase is not AttemptPhase.RUNNING or attempt.ready or attempt.running_ms is None:
        return
    if turn.now_ms - attempt.running_ms >= timeout_s * 1000:
        fact = Evidence(
            at_ms=turn.now_ms, what="not_ready", detail=f"it was not ready in {timeout_s} s"
        )
        slow = replace(attempt, evidence=(*attempt.evidence, fact))
        attempts.stop(turn, replica, slow, cause=Verdict.USER)


def _open(endpoint: Endpoint, replica: Replica) -> bool:
    """It has requests, as far as gateways have told."""
    return endpoint.demand is not None and replica.id in endpoint.demand.open


def _served(turn: Turn, endpoint: Endpoint, name: str, busy_ms: int) -> None:
    """Tell the ledger for how long a replica had requests; one that has ended has given back its share."""
    replica = turn.world.replicas.get(name)
    if replica is not None and replica.endpoint == endpoint.id and replica.attempt is not None:
        uses.serve(turn, replica, replica.attempt, busy_ms=busy_ms)


def _end(turn: Turn, replica: Replica) -> None:
    ended = turn.put(replace(replica, stopping=True, ended_ms=turn.now_ms))
    turn.emit("replica.ended", ended)
