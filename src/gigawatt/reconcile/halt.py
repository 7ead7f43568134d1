"""Shutting down: everything that runs is stopped, and goes back into the line at nobody's cost."""

from gigawatt.model.attempt import Verdict
from gigawatt.model.world import World
from gigawatt.reconcile import attempts
from gigawatt.reconcile.attempts import Owner
from gigawatt.reconcile.turn import Turn


def stop_all(turn: Turn) -> None:
    """Stop every live attempt as a preemption by the operator."""
    for owner in live(turn.world):
        attempt = owner.attempt
        if attempt is not None and attempt.phase in attempts.STOPPABLE:
            attempts.stop(turn, owner, attempt, cause=Verdict.PREEMPTION)


def live(world: World) -> list[Owner]:
    """All that has a live attempt, jobs first, then replicas, then workspaces, each sorted by id."""
    owners: list[Owner] = [
        *sorted(world.jobs.values(), key=lambda job: job.id),
        *sorted(world.replicas.values(), key=lambda replica: replica.id),
        *sorted(world.workspaces.values(), key=lambda workspace: workspace.id),
    ]
    return [owner for owner in owners if owner.attempt is not None and owner.attempt.live]
