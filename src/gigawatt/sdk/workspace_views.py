"""What the API answers about workspaces, as types. See `gigawatt.sdk.views`."""

from typing import TypedDict

from gigawatt.sdk.volume_views import MountView


class UseView(TypedDict):
    """What was last measured: `busy` kernels compute, `connections` are open."""

    at_ms: int
    cpus: float
    gpu_percent: int
    busy: int
    connections: int


class WorkspaceView(TypedDict):
    """`phase` is preparing, queued, starting, running, suspending, suspended, failed, deleting or deleted."""

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
    volumes: list[MountView]
    secrets: dict[str, str]
    cpus: float
    gpus: float
    memory_bytes: int
    idle_s: int
    lease_s: int
    active_ms: int | None
    suspends_ms: int | None
    lease_end_ms: int | None
    use: UseView | None
    created_ms: int
    created_by: str
    ended_ms: int | None
    version: int


class OpenView(TypedDict):
    """A link that works once, until `expires_ms`; whoever has it is in."""

    workspace: str
    url: str
    expires_ms: int
