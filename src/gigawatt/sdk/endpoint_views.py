"""What the API answers about endpoints, as types. See `gigawatt.sdk.views`."""

from typing import Any, TypedDict

from gigawatt.sdk.views import DryRunView
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
    revision: int
    draining: bool
    reason: str


class SeenView(TypedDict):
    requests: int
    errors: int
    p99_ms: int | None


class RolloutView(TypedDict):
    """`weight` percent of the requests go to `revision`, the others to `before`."""

    revision: int
    before: int
    strategy: str
    weight: int
    next_weight: int | None
    paused: bool
    in_turn: bool
    why: str
    by: str
    began_ms: int
    since_ms: int
    new: SeenView
    old: SeenView


class RevisionView(TypedDict):
    number: int
    phase: str
    current: bool
    model: str
    environment: str
    command: list[str]
    created_ms: int
    created_by: str
    ended_ms: int | None
    message: str


class FieldChangeView(TypedDict):
    field: str
    before: Any
    after: Any


class EndpointDryRunView(DryRunView):
    """What would happen if it were served now. `change` is create, none, in_place, replace or rollout."""

    change: str
    revision: int
    changes: list[FieldChangeView]
    replicas: int
    new_replicas: int
    gpus: float
    gpus_most: float


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
    revision: int
    rollout: RolloutView | None
    last_rollout: str
    asleep: bool
    replicas: ReplicaCountView
    queued: int
    in_flight: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    ttft_ms: int | None
    tpot_ms: int | None
    cache_percent: int
    start: StartView | None
    message: str
    environment: str
    volumes: list[MountView]
    secrets: dict[str, str]
    created_ms: int
    version: int
    replicas_list: list[ReplicaView]
