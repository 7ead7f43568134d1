"""Environments: built once for all who ask, kept while they are used, built again after a failure or a removal when
someone asks again.
"""

from gigawatt.model.action import BuildEnvironment, DeleteEnvironment
from gigawatt.model.command import RemoveEnvironment
from gigawatt.model.environment import USED_EVERY_MS, Environment, EnvironmentPhase
from gigawatt.model.observation import (
    EnvironmentBuilt,
    EnvironmentDeleted,
    EnvironmentFailed,
    EnvironmentStage,
)
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.values import replace
from gigawatt.model.world import World
from gigawatt.reconcile.turn import Turn

REBUILT = frozenset({EnvironmentPhase.FAILED, EnvironmentPhase.REMOVED})


def ensure(turn: Turn, wanted: Environment) -> Environment:
    """The environment as it is, being built from now on if it was not there or had failed, or was removed."""
    environment = turn.world.environments.get(wanted.id)
    if environment is None:
        environment = turn.put(replace(wanted, phase=EnvironmentPhase.BUILDING))
    elif environment.phase in REBUILT:
        again = environment.moved(EnvironmentPhase.BUILDING)
        environment = turn.put(
            replace(again, spec=wanted.spec, message="", ended_ms=None, used_ms=turn.now_ms)
        )
    else:
        return used(turn, environment.id) or environment
    build(turn, environment)
    turn.emit("environment.building", environment)
    return environment


def used(turn: Turn, id: str) -> Environment | None:
    """Work asks for it, or has ended in it. Written down once in USED_EVERY_MS, so that a submit costs no write more."""
    environment = turn.world.environments.get(id)
    if environment is None:
        return None
    saved_ms = turn.world.saved_ms.setdefault(id, environment.last_used_ms)
    after = replace(environment, used_ms=turn.now_ms)
    if turn.now_ms - saved_ms < USED_EVERY_MS:
        return turn.touch(after)
    turn.world.saved_ms[id] = turn.now_ms
    return turn.put(after)


def unused(world: World, *, since_ms: int) -> tuple[Environment, ...]:
    """Those that nothing refers to and nothing has used after `since_ms`, the longest unused first."""
    kept = (EnvironmentPhase.BUILDING, EnvironmentPhase.REMOVED)
    holders, replaced = _holders(world), _replaced(world)
    found = (
        each
        for each in world.environments.values()
        if each.phase not in kept
        and each.last_used_ms <= since_ms
        and each.id not in holders
        and each.tenant not in replaced
    )
    return tuple(sorted(found, key=lambda each: (each.last_used_ms, each.id)))


def remove(turn: Turn, command: RemoveEnvironment) -> Environment:
    """Its files go once this is committed; its record and its lock stay. Refused where anything still needs it."""
    environment = turn.world.environments.get(command.id)
    if environment is None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no environment {command.id}")
    if environment.phase is EnvironmentPhase.REMOVED:
        return environment
    world = turn.world
    reason = _holders(world).get(environment.id) or _replaced(world).get(environment.tenant, "")
    if not reason and environment.phase is EnvironmentPhase.BUILDING:
        reason = "a build"
    if not reason and environment.last_used_ms > command.unused_since_ms:
        reason = "work that has just used it"
    if reason:
        detail = f"{command.id} is needed by {reason}"
        raise RefusalError(RefusalCode.CONFLICT, detail, hint="it stays as it is")
    removed = turn.put(replace(environment.moved(EnvironmentPhase.REMOVED), message=""))
    turn.emit("environment.removed", removed, f"by {command.by}")
    delete(turn, removed)
    return removed


def delete(turn: Turn, environment: Environment) -> None:
    """Have its files deleted; safe to ask for again after a crash."""
    turn.act(DeleteEnvironment(environment=environment.id))


def deleted(turn: Turn, seen: EnvironmentDeleted) -> None:
    """Its files are gone; unless it is being built again by now, which waits for their going."""
    environment = turn.world.environments.get(seen.environment)
    if environment is not None and environment.phase is EnvironmentPhase.REMOVED:
        turn.put(replace(environment, path="", size_bytes=0))


def build(turn: Turn, environment: Environment) -> None:
    """Have it built; safe to ask for again after a crash."""
    turn.act(
        BuildEnvironment(
            environment=environment.id, tenant=environment.tenant, spec=environment.spec
        )
    )


def stage(turn: Turn, seen: EnvironmentStage) -> None:
    """What the build is at: live, in memory."""
    environment = turn.world.environments.get(seen.environment)
    if environment is not None and environment.phase is EnvironmentPhase.BUILDING:
        turn.touch(replace(environment, stage=seen.stage))
        turn.emit("environment.stage", environment, seen.stage)


def built(turn: Turn, seen: EnvironmentBuilt) -> Environment | None:
    environment = turn.world.environments.get(seen.environment)
    if environment is None or environment.phase is not EnvironmentPhase.BUILDING:
        return None
    ready = turn.put(
        replace(
            environment.moved(EnvironmentPhase.READY),
            path=seen.path,
            lock=seen.lock,
            size_bytes=seen.size_bytes,
            build_ms=seen.build_ms,
            digest=seen.digest,
            stage="",
            ended_ms=seen.at_ms,
        )
    )
    turn.emit("environment.ready", ready, f"built in {seen.build_ms / 1000:.1f} s")
    return ready


def failed(turn: Turn, seen: EnvironmentFailed) -> Environment | None:
    environment = turn.world.environments.get(seen.environment)
    if environment is None or environment.phase is not EnvironmentPhase.BUILDING:
        return None
    after = turn.put(
        replace(
            environment.moved(EnvironmentPhase.FAILED),
            message=seen.message,
            stage="",
            ended_ms=seen.at_ms,
        )
    )
    turn.emit("environment.failed", after, seen.message)
    return after


def _holders(world: World) -> dict[str, str]:
    """Environments that something alive refers to, and what, in words."""
    found = {
        endpoint.spec_of(generation).environment: f"endpoint {endpoint.spec.name}"
        for endpoint in world.endpoints.values()
        for generation in endpoint.generations
    }
    found |= {each.spec.environment: f"schedule {each.name}" for each in world.schedules.values()}
    for work in (*world.arrays.values(), *world.jobs.values()):
        found[work.spec.environment] = f"job {work.id}"
    for workspace in world.workspaces.values():
        found |= dict.fromkeys(workspace.environments, f"workspace {workspace.spec.name}")
    return found


def _replaced(world: World) -> dict[str, str]:
    """Tenants with a replica of an earlier spec: it may run in that spec's environment, which no object names."""
    found: dict[str, str] = {}
    for replica in world.replicas.values():
        endpoint = world.endpoints.get(replica.endpoint)
        if endpoint is None or replica.generation not in endpoint.generations:
            found[replica.tenant] = f"replica {replica.id}, which is being replaced"
    return found
