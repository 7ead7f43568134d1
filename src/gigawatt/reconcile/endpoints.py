"""Endpoints: how many replicas each should have, and what follows when replicas start, serve, fail and end."""

from gigawatt.model.command import PutEndpoint, StopEndpoint
from gigawatt.model.endpoint import Endpoint, EndpointPhase, Replica
from gigawatt.model.environment import HOST, Environment, EnvironmentPhase
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.rollout import SteerRollout
from gigawatt.model.values import replace
from gigawatt.reconcile import budgets, caps, environments, models, replicas, rollouts, volumes
from gigawatt.reconcile.projects import check_project
from gigawatt.reconcile.turn import Turn
from gigawatt.routing.autoscale import started_ahead, target_replicas
from gigawatt.routing.load import with_requests
from gigawatt.routing.tiers import tier

FAILURES_MAX = 5  # replicas that fail in a row before the endpoint has failed


def command(turn: Turn, asked: PutEndpoint | StopEndpoint | SteerRollout) -> Endpoint:
    """Do what a caller asked. Raises RefusalError, having changed nothing."""
    match asked:
        case PutEndpoint():
            return put(turn, asked)
        case StopEndpoint():
            return stop(turn, asked)
        case SteerRollout():
            return scale(turn, rollouts.steer(turn, asked))


def put(turn: Turn, command: PutEndpoint) -> Endpoint:
    """Make an endpoint, or give the one of this name a new spec: a new revision, if replicas run by what has changed."""
    check_project(turn, command.tenant, command.project)
    budgets.check(turn, command.tenant, command.project)
    before = _named(turn, command)
    caps.check_replicas(turn, command, before)
    if before is not None:
        rollouts.check(before, command.spec)
    models.use_artifact(turn, command.tenant, command.spec.bundle)
    volumes.check_mounts(turn, command.tenant, command.project, command.spec.volumes)
    if command.environment is not None:
        environments.ensure(turn, command.environment)
    if before is None:
        endpoint = turn.put(
            Endpoint(
                id=command.id,
                tenant=command.tenant,
                project=command.project,
                spec=command.spec,
                phase=EndpointPhase.PREPARING,
                created_ms=turn.now_ms,
                created_by=command.by,
            )
        )
        rollouts.first(turn, endpoint)
        turn.emit("endpoint.created", endpoint, f"by {command.by}")
    elif before.spec == command.spec and before.phase is not EndpointPhase.FAILED:
        return before
    else:
        endpoint = _changed(turn, before, command)
        environments.used(turn, before.spec.environment)
        turn.emit("endpoint.changed", endpoint, f"by {command.by}")
    return scale(turn, endpoint)


def stop(turn: Turn, command: StopEndpoint) -> Endpoint:
    """Stop every replica, then the endpoint is gone. Asking again is no error."""
    endpoint = turn.world.endpoints.get(command.id)
    if endpoint is None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no endpoint {command.id}")
    if endpoint.phase is EndpointPhase.STOPPING:
        return endpoint
    endpoint = turn.put(endpoint.moved(EndpointPhase.STOPPING))
    environments.used(turn, endpoint.spec.environment)
    turn.emit("endpoint.stopping", endpoint, f"by {command.by}")
    return scale(turn, endpoint)


def scale(turn: Turn, endpoint: Endpoint) -> Endpoint:
    """Have as many replicas as demand asks for, and the phase that follows from what there is."""
    for replica in replicas.of(turn, endpoint):
        if replica.generation not in endpoint.generations and not replica.stopping:
            replicas.retire(turn, endpoint, replica)
        elif replica.draining_ms is not None:
            replicas.drain(turn, endpoint, replica)
    current = [r for r in replicas.of(turn, endpoint) if not r.stopping]
    new = [r for r in current if r.generation == endpoint.generation]
    old = [r for r in current if r.generation != endpoint.generation]
    most = max(len(new), len(old))
    ready = min(sum(r.ready for r in current), most)
    endpoint, wanted = _wanted(turn, endpoint, current=most, ready=ready)
    wanted = budgets.replicas_allowed(
        turn, endpoint.tenant, endpoint.project, wanted=wanted, current=most
    )
    endpoint, wanted = caps.replicas_allowed(turn, endpoint, wanted=wanted, current=most)
    if endpoint.rollout is not None and endpoint.phase is not EndpointPhase.STOPPING:
        endpoint = rollouts.step(turn, endpoint, current, wanted=wanted)
        if endpoint.rollout is None:
            return scale(turn, endpoint)
        counts = rollouts.counts(turn, endpoint, wanted=wanted, old=len(old))
        _have(turn, endpoint, old, counts.old, generation=endpoint.rollout.before_generation)
        _have(turn, endpoint, new, counts.new, generation=endpoint.generation)
    else:
        _have(turn, endpoint, new, wanted, generation=endpoint.generation)
        _have(turn, endpoint, old, 0, generation=0)
    return _settle(turn, _tier(turn, replace(endpoint, replicas_wanted=wanted)))


def environment_changed(turn: Turn, environment: Environment) -> None:
    """Its environment is ready or cannot be built."""
    for endpoint in tuple(turn.world.endpoints.values()):
        if endpoint.spec.environment == environment.id:
            scale(turn, endpoint)


def due(turn: Turn, endpoint: Endpoint) -> None:
    """A quiet window or a pause may be over."""
    scale(turn, endpoint)


def _changed(turn: Turn, before: Endpoint, command: PutEndpoint) -> Endpoint:
    """With its new spec; replicas that run by what is the same in both stay as they are."""
    healthy = before.phase is not EndpointPhase.FAILED
    if not (healthy and before.spec.runs_as(command.spec)):
        return rollouts.changed(turn, before, command.spec, by=command.by)
    endpoint = turn.put(replace(before, spec=command.spec))
    rollouts.amended(turn, endpoint, by=command.by)
    return endpoint


def _have(
    turn: Turn, endpoint: Endpoint, there: list[Replica], wanted: int, *, generation: int
) -> None:
    """As many replicas of a generation as are wanted, those that are `there` among them."""
    for surplus in replicas.least_useful_first(there)[: max(len(there) - wanted, 0)]:
        replicas.retire(turn, endpoint, surplus)
    if wanted > len(there) and turn.now_ms < endpoint.not_before_ms:
        turn.due(endpoint.not_before_ms, endpoint.id)
        return
    for _ in range(wanted - len(there)):
        replicas.create(turn, endpoint, generation=generation)


def _named(turn: Turn, command: PutEndpoint) -> Endpoint | None:
    for endpoint in turn.world.endpoints.values():
        same_place = (endpoint.tenant, endpoint.project) == (command.tenant, command.project)
        if same_place and endpoint.spec.name == command.spec.name:
            if endpoint.phase is EndpointPhase.STOPPING:
                raise RefusalError(
                    RefusalCode.CONFLICT,
                    f"endpoint {command.spec.name} is being stopped",
                    hint="wait until it is gone and try again",
                )
            return endpoint
    return None


def _wanted(turn: Turn, endpoint: Endpoint, *, current: int, ready: int) -> tuple[Endpoint, int]:
    """How many replicas, and the endpoint with why and what is remembered of its load."""
    if _resting_phase(turn, endpoint) is not None:
        return replace(endpoint, why=""), 0
    load, demand = endpoint.load, endpoint.demand
    if endpoint.spec.scaling is not None and demand is not None:
        requests = demand.in_flight + demand.queued
        load = with_requests(load, requests, endpoint.spec.scaling, now_ms=turn.now_ms)
    start_ms = endpoint.start.total_ms if endpoint.start else 0
    target = target_replicas(
        started_ahead(endpoint.spec, start_ms=start_ms),
        demand,
        current=current,
        ready=ready,
        now_ms=turn.now_ms,
        load=load,
    )
    if target.due_ms is not None:
        turn.due(target.due_ms, endpoint.id)
    remembered = replace(endpoint, why=target.why, load=target.load)
    return (endpoint if remembered == endpoint else turn.touch(remembered)), target.replicas


def _tier(turn: Turn, endpoint: Endpoint) -> Endpoint:
    """Asleep or awake; a rollout is served by replicas that are awake."""
    found = tier(endpoint.spec, endpoint.demand, now_ms=turn.now_ms)
    if found.due_ms is not None:
        turn.due(found.due_ms, endpoint.id)
    asleep = found.asleep and endpoint.rollout is None and endpoint.replicas_wanted > 0
    if asleep == endpoint.asleep:
        return endpoint
    after = replace(endpoint, asleep=asleep)
    turn.emit("endpoint.asleep" if asleep else "endpoint.awake", after)
    return after


def _resting_phase(turn: Turn, endpoint: Endpoint) -> EndpointPhase | None:
    """The phase in which it may have no replica whatever the demand; None when it may."""
    if endpoint.phase is EndpointPhase.STOPPING:
        return EndpointPhase.STOPPING
    if endpoint.rollout is not None:
        return None  # what is wrong with the new revision ends the rollout, not the endpoint
    if endpoint.failures >= FAILURES_MAX:
        return EndpointPhase.FAILED
    if endpoint.spec.environment == HOST:
        return None
    environment = turn.world.environments.get(endpoint.spec.environment)
    if environment is None or environment.phase is EnvironmentPhase.BUILDING:
        return EndpointPhase.PREPARING
    return EndpointPhase.FAILED if environment.phase is EnvironmentPhase.FAILED else None


def _settle(turn: Turn, endpoint: Endpoint) -> Endpoint:
    """The phase that follows from the replicas, put only where something has changed."""
    there = replicas.of(turn, endpoint)
    resting = _resting_phase(turn, endpoint)
    if resting is EndpointPhase.STOPPING:
        phase = EndpointPhase.STOPPING if there else EndpointPhase.STOPPED
    elif resting is not None:
        phase = resting
    elif any(replica.ready and not replica.stopping for replica in there):
        phase = EndpointPhase.READY
    else:
        phase = EndpointPhase.STARTING if endpoint.replicas_wanted else EndpointPhase.ZERO
    before = turn.world.endpoints.get(endpoint.id)
    message = _message(turn, endpoint, phase)
    after = replace(endpoint, message=message)
    if phase is not endpoint.phase:
        ended_ms = turn.now_ms if phase is EndpointPhase.STOPPED else None
        after = replace(after.moved(phase), ended_ms=ended_ms)
        turn.emit(f"endpoint.{phase.value}", after, message)
    return after if after == before else turn.put(after)


def _message(turn: Turn, endpoint: Endpoint, phase: EndpointPhase) -> str:
    if phase is EndpointPhase.FAILED and endpoint.failures < FAILURES_MAX:
        return f"its environment failed: {_environment_message(turn, endpoint)}"
    return "" if phase is EndpointPhase.READY else endpoint.message


def _environment_message(turn: Turn, endpoint: Endpoint) -> str:
    environment = turn.world.environments.get(endpoint.spec.environment)
    return environment.failure if environment else "it is not there"
