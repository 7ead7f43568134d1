"""Rollouts: a new revision of an endpoint beside the old one, until it has taken its place or is taken back."""

from collections.abc import Iterable

from gigawatt.model.command import SteerRollout
from gigawatt.model.endpoint import (
    Endpoint,
    EndpointPhase,
    EndpointSpec,
    Replica,
    Revision,
    Rollout,
)
from gigawatt.model.environment import HOST, EnvironmentPhase
from gigawatt.model.observation import DemandSeen
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.rollout import NOTHING_SEEN, WHOLE, RevisionPhase, Seen, Steer, Strategy
from gigawatt.model.values import replace
from gigawatt.reconcile import environments
from gigawatt.reconcile.turn import Turn
from gigawatt.routing import rollout as policy
from gigawatt.routing.rollout import Counts, Move, Standing


def check(before: Endpoint, spec: EndpointSpec) -> None:
    """Raises RefusalError where both revisions could not be served at once as the plan has it."""
    old = before.rollout.before if before.rollout else before.spec
    if spec.rollout.strategy is not Strategy.CANARY or old.served_name == spec.served_name:
        return
    if before.phase is EndpointPhase.READY:
        raise RefusalError(
            RefusalCode.INVALID,
            f"a canary shares out the requests for one served name, and it would change "
            f"from {old.served_name} to {spec.served_name}",
            field="rollout.strategy",
            hint="write rollout: {strategy: all-at-once}, or keep the name and add an alias",
        )


def changed(turn: Turn, before: Endpoint, spec: EndpointSpec, *, by: str) -> Endpoint:
    """The endpoint with a new revision: beside the old one if that one serves, else in its place."""
    if before.revisions < before.generation:  # it is from before there was a history
        _note(turn, before, before.spec, RevisionPhase.LIVE)
    number = max(before.revisions, before.generation) + 1
    endpoint = replace(
        before,
        spec=spec,
        generation=number,
        revisions=number,
        failures=0,
        not_before_ms=0,
        message="",
    )
    rollout = before.rollout
    if rollout is not None:
        _note(turn, before, before.spec, RevisionPhase.REPLACED, f"by revision {number}")
    if rollout is None and not _worth_keeping(turn, before):
        _note(turn, endpoint, spec, RevisionPhase.LIVE, by=by)
        return turn.put(endpoint)
    begun = Rollout(
        before=rollout.before if rollout else before.spec,
        before_generation=rollout.before_generation if rollout else before.generation,
        by=by,
        began_ms=turn.now_ms,
        since_ms=turn.now_ms,
        baseline=rollout.baseline.plus(rollout.old) if rollout else NOTHING_SEEN,
    )
    rolling = turn.put(replace(endpoint, rollout=begun))
    _note(turn, rolling, spec, RevisionPhase.ROLLING, by=by)
    strategy = spec.rollout.strategy.value
    told = f"revision {number} beside revision {begun.before_generation}, {strategy}"
    turn.emit("endpoint.rollout_began", rolling, told)
    return rolling


def first(turn: Turn, endpoint: Endpoint) -> None:
    """Put the first revision of a new endpoint on record."""
    _note(turn, endpoint, endpoint.spec, RevisionPhase.LIVE)


def amended(turn: Turn, endpoint: Endpoint, *, by: str) -> None:
    """Its spec has changed in what replicas do not run by."""
    phase = RevisionPhase.ROLLING if endpoint.rollout else RevisionPhase.LIVE
    _note(turn, endpoint, endpoint.spec, phase, "changed in place", by=by)


def seen(endpoint: Endpoint, told: DemandSeen) -> Endpoint:
    """The same with what gateways counted of its two revisions."""
    rollout = endpoint.rollout
    if rollout is None or not told.revisions:
        return endpoint
    counts = {each.generation: each.seen for each in told.revisions}
    new = rollout.new.plus(counts.get(endpoint.generation, NOTHING_SEEN))
    old = rollout.old.plus(counts.get(rollout.before_generation, NOTHING_SEEN))
    return replace(endpoint, rollout=replace(rollout, new=new, old=old))


def replica_failed(endpoint: Endpoint, replica: Replica) -> Endpoint:
    """One of the new revision counts against it."""
    rollout = endpoint.rollout
    if rollout is None or replica.generation != endpoint.generation:
        return endpoint
    return replace(endpoint, rollout=replace(rollout, failures=rollout.failures + 1))


def step(turn: Turn, endpoint: Endpoint, there: Iterable[Replica], *, wanted: int) -> Endpoint:
    """Go on as far as may be. It has no rollout any more when that has come to its end."""
    rollout, plan = endpoint.rollout, endpoint.spec.rollout
    assert rollout is not None
    broken = _environment_fault(turn, endpoint)
    if broken:
        return _back(turn, endpoint, broken)
    at = _standing(turn, endpoint, there, wanted)
    found = policy.next_step(rollout, plan, at, now_ms=turn.now_ms)
    if found.due_ms is not None:
        turn.due(found.due_ms, endpoint.id)
    match found.move:
        case Move.STAY:
            told = replace(endpoint, rollout=replace(rollout, why=found.why))
            return endpoint if told == endpoint else turn.touch(told)
        case Move.BACK:
            return _back(turn, endpoint, found.why)
        case Move.DONE:
            return _done(turn, endpoint)
        case Move.MAKE_ROOM:
            made = turn.put(replace(endpoint, rollout=replace(rollout, in_turn=True)))
            turn.emit("endpoint.rollout_in_turn", made, "there is no room for both revisions")
            return made
        case Move.SHIFT:
            shifted = _shifted(turn, endpoint, found.weight, found.why)
            return step(turn, shifted, there, wanted=wanted)


def counts(turn: Turn, endpoint: Endpoint, *, wanted: int, old: int) -> Counts:
    """How many replicas of the new revision there should be, and of the old one, of which there are `old`."""
    rollout = endpoint.rollout
    assert rollout is not None
    found = policy.replicas(rollout, endpoint.spec.rollout, wanted=wanted, now_ms=turn.now_ms)
    new = 0 if _building(turn, endpoint) else found.new
    kept = min(found.old, old) if rollout.weight == WHOLE else found.old
    return Counts(new=new, old=kept)


def steer(turn: Turn, command: SteerRollout) -> Endpoint:
    """Do what a person asks of a rollout. Raises RefusalError where there is none."""
    endpoint = turn.world.endpoints.get(command.id)
    if endpoint is None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no endpoint {command.id}")
    rollout = endpoint.rollout
    if rollout is None:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"endpoint {endpoint.spec.name} has no rollout under way",
            hint=f"gw endpoints revisions {endpoint.spec.name}",
        )
    told = f"by {command.by}" + (f": {command.reason}" if command.reason else "")
    match command.steer:
        case Steer.ROLLBACK:
            return _back(turn, endpoint, told)
        case Steer.PROMOTE:
            after = replace(rollout, promoted=True, paused=False)
        case Steer.PAUSE:
            after = replace(rollout, paused=True)
        case Steer.RESUME:
            after = replace(rollout, paused=False)
    if after == rollout:
        return endpoint
    steered = turn.put(replace(endpoint, rollout=after))
    turn.emit(f"endpoint.rollout_{_STEERED[command.steer]}", steered, told)
    return steered


_STEERED = {Steer.PROMOTE: "promoted", Steer.PAUSE: "paused", Steer.RESUME: "resumed"}


def _worth_keeping(turn: Turn, endpoint: Endpoint) -> bool:
    """It serves, or rests and has served."""
    replicas = turn.world.replicas.values()
    ready = any(each.ready for each in replicas if each.endpoint == endpoint.id)
    return ready or (endpoint.phase is EndpointPhase.ZERO and endpoint.start is not None)


def _standing(turn: Turn, endpoint: Endpoint, there: Iterable[Replica], wanted: int) -> Standing:
    current = [each for each in there if not each.stopping]
    new = [each for each in current if each.generation == endpoint.generation]
    placeless = [each.queued_ms for each in new if each.attempt is None]
    return Standing(
        wanted=wanted,
        new=sum(each.ready for each in new),
        old=sum(each.ready for each in current) - sum(each.ready for each in new),
        building=_building(turn, endpoint),
        placeless_ms=min(placeless, default=None),
    )


def _shifted(turn: Turn, endpoint: Endpoint, weight: int, why: str) -> Endpoint:
    rollout = endpoint.rollout
    assert rollout is not None
    after = replace(
        rollout,
        weight=weight,
        since_ms=turn.now_ms,
        new=Seen(),
        old=Seen(),
        baseline=rollout.old
        if rollout.old.requests >= endpoint.spec.rollout.requests_min
        else rollout.baseline.plus(rollout.old),
        why=why,
    )
    shifted = turn.put(replace(endpoint, rollout=after))
    told = f"revision {endpoint.generation} takes {weight} % of the requests: {why}"
    turn.emit("endpoint.rollout_shifted", shifted, told, (("weight", str(weight)),))
    return shifted


def _done(turn: Turn, endpoint: Endpoint) -> Endpoint:
    rollout = endpoint.rollout
    assert rollout is not None
    _note(turn, endpoint, endpoint.spec, RevisionPhase.LIVE)
    told = f"revision {endpoint.generation} has taken the place of {rollout.before_generation}"
    done = turn.put(replace(endpoint, rollout=None, failures=0, message="", last_rollout=told))
    environments.used(turn, rollout.before.environment)
    turn.emit("endpoint.rollout_done", done, told)
    return done


def _back(turn: Turn, endpoint: Endpoint, why: str) -> Endpoint:
    rollout = endpoint.rollout
    assert rollout is not None
    _note(turn, endpoint, endpoint.spec, RevisionPhase.ROLLED_BACK, why)
    message = f"revision {endpoint.generation} was rolled back: {why}"
    back = turn.put(
        replace(
            endpoint,
            spec=rollout.before,
            generation=rollout.before_generation,
            rollout=None,
            failures=0,
            not_before_ms=0,
            message="",
            last_rollout=message,
        )
    )
    environments.used(turn, endpoint.spec.environment)
    turn.emit("endpoint.rollout_back", back, message)
    return back


def _note(
    turn: Turn,
    endpoint: Endpoint,
    spec: EndpointSpec,
    phase: RevisionPhase,
    message: str = "",
    *,
    by: str = "",
) -> None:
    """Put a revision on record as it is now."""
    rollout = endpoint.rollout
    began_ms = rollout.began_ms if rollout else turn.now_ms
    turn.put(
        Revision(
            id=f"{endpoint.id}.r{endpoint.generation}",
            endpoint=endpoint.id,
            tenant=endpoint.tenant,
            project=endpoint.project,
            number=endpoint.generation,
            spec=spec,
            phase=phase,
            created_ms=began_ms,
            created_by=by or (rollout.by if rollout else endpoint.created_by),
            message=message,
            ended_ms=None if phase is RevisionPhase.ROLLING else turn.now_ms,
        )
    )


def _building(turn: Turn, endpoint: Endpoint) -> bool:
    environment = turn.world.environments.get(endpoint.spec.environment)
    if endpoint.spec.environment == HOST:
        return False
    return environment is None or environment.phase is EnvironmentPhase.BUILDING


def _environment_fault(turn: Turn, endpoint: Endpoint) -> str:
    environment = turn.world.environments.get(endpoint.spec.environment)
    if environment is None or environment.phase is not EnvironmentPhase.FAILED:
        return ""
    return f"its environment failed: {environment.failure}"
