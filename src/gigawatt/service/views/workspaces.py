"""A workspace as callers see it: where it is, whether it is used, and when it will be suspended."""

from collections.abc import Mapping
from dataclasses import dataclass

from gigawatt.model.reason import Reason
from gigawatt.model.workspace import Workspace, WorkspacePhase
from gigawatt.service.views.text import sentence
from gigawatt.service.views.volumes import MountView, mount_view


@dataclass(frozen=True, slots=True, kw_only=True)
class UseView:
    """What was last measured. `busy` counts kernels that compute, `connections` open pages and terminals."""

    at_ms: int
    cpus: float
    gpu_percent: int
    busy: int
    connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceView:
    """`url` is where a browser has it once it has come in by a link; times are null where they do not apply."""

    id: str
    name: str
    tenant: str
    project: str
    program: str
    phase: str
    message: str
    url: str
    node: str
    environment: str
    bundle: str
    home: str
    like: str
    volumes: tuple[MountView, ...]
    secrets: Mapping[str, str]  # their names, by variable
    cpus: float
    gpus: float
    memory_bytes: int
    idle_s: int
    lease_s: int
    active_ms: int | None  # when it was last seen in use
    suspends_ms: int | None  # when it is suspended if nobody uses it
    lease_end_ms: int | None  # when it is suspended whatever is done
    use: UseView | None
    created_ms: int
    created_by: str
    ended_ms: int | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenView:
    """A link that works once, until `expires_ms`; whoever has it is in."""

    workspace: str
    url: str
    expires_ms: int


def workspace_view(
    workspace: Workspace, *, waiting: tuple[int, Reason] | None, proxy_url: str
) -> WorkspaceView:
    """`waiting` is its place in the line and why, where it waits."""
    spec, attempt, use = workspace.spec, workspace.attempt, workspace.use
    runs = workspace.phase is WorkspacePhase.RUNNING
    message = workspace.message
    if workspace.phase is WorkspacePhase.QUEUED and waiting is not None:
        message = f"number {waiting[0]} in the line: {sentence(waiting[1])}"
    amounts = spec.shape.per_node
    return WorkspaceView(
        id=workspace.id,
        name=spec.name,
        tenant=workspace.tenant,
        project=workspace.project,
        program=spec.program.value,
        phase=workspace.phase.value,
        message=message,
        url=f"{proxy_url}{workspace.path}",
        node=attempt.nodes[0] if attempt and attempt.live else "",
        environment=spec.environment,
        bundle=spec.bundle,
        home=spec.home,
        like=spec.like,
        volumes=tuple(mount_view(mount) for mount in spec.volumes),
        secrets={each.variable: each.secret for each in spec.secrets},
        cpus=amounts.milli_cpu / 1_000,
        gpus=amounts.milli_gpu / 1_000,
        memory_bytes=amounts.memory_bytes,
        idle_s=spec.idle_s,
        lease_s=spec.lease_s,
        active_ms=workspace.active_ms or None,
        suspends_ms=workspace.active_ms + spec.idle_s * 1_000 if runs else None,
        lease_end_ms=workspace.lease_end_ms or None,
        use=use
        and UseView(
            at_ms=use.at_ms,
            cpus=use.milli_cpu / 1_000,
            gpu_percent=use.gpu_percent,
            busy=use.busy,
            connections=use.connections,
        ),
        created_ms=workspace.created_ms,
        created_by=workspace.created_by,
        ended_ms=workspace.ended_ms,
        version=workspace.version,
    )
