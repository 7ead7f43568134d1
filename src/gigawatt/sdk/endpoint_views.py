"""What the API answers about endpoints, as types. See `gigawatt.sdk.views`."""

from typing import TypedDict

from gigawatt.sdk.volume_views import MountView


class ReplicaCountView(TypedDict):
    wanted: int
    ready: int
    min: int
    max: int
    why: str


class ReplicaView(TypedDict):
    id: str
    node: str
    pid: int | None
    port: int
    phase: str
    ready: bool


class StartView(TypedDict):
    place_ms: int
    fetch_ms: int
    launch_ms: int
    load_ms: int


class EndpointView(TypedDict):
    id: str
    name: str
    tenant: str
    project: str
    phase: str
    model: str
    served_name: str
    url: str
    replicas: ReplicaCountView
    queued: int
    in_flight: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    start: StartView | None
    message: str
    environment: str
    volumes: list[MountView]
    secrets: dict[str, str]
    created_ms: int
    version: int
    replicas_list: list[ReplicaView]
