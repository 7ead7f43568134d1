"""What the API answers about endpoints, as types. See `gigawatt.sdk.views`."""

from typing import TypedDict

from gigawatt.sdk.volume_views import MountView


class ReplicaCountView(TypedDict):
    wanted: int
    ready: int
    min: int
    max: int


class ReplicaView(TypedDict):
    id: str
    node: str
    pid: int | None
    port: int
    phase: str
    ready: bool


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
    message: str
    environment: str
    volumes: list[MountView]
    created_ms: int
    version: int
    replicas_list: list[ReplicaView]
