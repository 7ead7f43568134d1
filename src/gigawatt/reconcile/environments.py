"""Environments: built once for all who ask, kept, and built again after a failure when someone asks again."""

from dataclasses import replace

from gigawatt.model.action import BuildEnvironment
from gigawatt.model.environment import Environment, EnvironmentPhase
from gigawatt.model.observation import EnvironmentBuilt, EnvironmentFailed, EnvironmentStage
from gigawatt.reconcile.turn import Turn


def ensure(turn: Turn, wanted: Environment) -> Environment:
    """The environment as it is, being built from now on if it was not there or had failed."""
    turn.world.use(wanted.id, now_ms=turn.now_ms)
    environment = turn.world.environments.get(wanted.id)
    if environment is None:
        environment = turn.put(replace(wanted, phase=EnvironmentPhase.BUILDING))
    elif environment.phase is EnvironmentPhase.FAILED:
        again = replace(environment.moved(EnvironmentPhase.BUILDING), message="", ended_ms=None)
        environment = turn.put(again)
    else:
        return environment
    build(turn, environment)
    turn.emit("environment.building", environment)
    return environment


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
