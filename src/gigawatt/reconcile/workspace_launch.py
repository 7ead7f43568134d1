"""What an engine needs to start a workspace: the desk, which stands before its program and measures its use."""

import json

from gigawatt.model.attempt import Attempt
from gigawatt.model.environment import HOST
from gigawatt.model.gang import GangKind
from gigawatt.model.launch import Launch
from gigawatt.model.workspace import Workspace
from gigawatt.model.world import World
from gigawatt.reconcile.launches import environment_path, least, per_rank, placements

# What is in the working directory is a person's code: none of it may stand for a module of the desk's.
DESK = "import sys; sys.path[:] = [each for each in sys.path if each]; from gigawatt.rank.desk import main; main()"


def workspace_launch(workspace: Workspace, attempt: Attempt, *, world: World) -> Launch:
    """The desk runs in the environment of the tools where there is one, everything else in the person's."""
    spec = workspace.spec
    tools = environment_path(world, spec.tools) if spec.tools else ""
    plain = "python3" if spec.environment == HOST else "python"
    return Launch(
        gang=workspace.id,
        attempt=attempt.n,
        kind=GangKind.WORKSPACE,
        name=spec.name,
        tenant=workspace.tenant,
        project=workspace.project,
        command=(f"{tools}/bin/python" if tools else plain, "-c", DESK),
        env=(*spec.env, *_facts(workspace, tools)),
        placements=placements(attempt),
        per_rank=per_rank(spec.shape),
        environment=environment_path(world, spec.environment),
        bundle=spec.bundle,
        volumes=spec.volumes,
        uses=spec.secrets,
        grace_s=spec.grace_s,
        readiness=spec.readiness,
        user=workspace.created_by,
        isolation=least(world, workspace.tenant),
        shared=len(world.tenants) > 1,
        home=spec.home,
        tools=tools,
    )


def _facts(workspace: Workspace, tools: str) -> tuple[tuple[str, str], ...]:
    """What the desk is told."""
    spec = workspace.spec
    whole = spec.shape.per_node.milli_gpu >= 1_000
    return (
        ("HOME", spec.home),
        ("GIGAWATT_WORKSPACE", spec.program.value),
        ("GIGAWATT_WORKSPACE_BUNDLE", spec.bundle),
        ("GIGAWATT_WORKSPACE_GPUS", "whole" if whole else ""),
        ("GIGAWATT_WORKSPACE_PATH", workspace.path),
        ("GIGAWATT_WORKSPACE_TOOLS", tools),
        ("GIGAWATT_WORKSPACE_VOLUMES", json.dumps([mount.path for mount in spec.volumes])),
    )
