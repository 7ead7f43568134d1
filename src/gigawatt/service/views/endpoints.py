"""An endpoint as callers see it: where it answers, its replicas, and what is asked of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gigawatt.model.endpoint import Endpoint, Replica, StartTimes
from gigawatt.service.views.rollouts import RolloutView, rollout_view
from gigawatt.service.views.volumes import MountView, mount_view


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaCountView:
    """How many there should be and are, and between which bounds."""

    wanted: int
    ready: int
    min: int
    max: int
    why: str  # so many are wanted; one sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaView:
    """One live replica. Node, pid and port once it is placed and started."""

    id: str
    node: str
    pid: int | None
    port: int
    phase: str  # of its attempt; queued while it has none
    ready: bool
    revision: int
    draining: bool  # it is given no more requests, and answers those that it has
    reason: str  # it waits for a place; empty otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class StartView:
    """How long the replica that became ready last took: until it had nodes, what it needs, processes, and its model."""

    place_ms: int
    fetch_ms: int
    launch_ms: int
    load_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    """An endpoint. `url` is what OpenAI's clients take as base URL."""

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
    last_rollout: str  # what came of it
    asleep: bool  # its replicas have let go of memory, and wake for the next request
    replicas: ReplicaCountView
    queued: int
    in_flight: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    ttft_ms: int | None  # to the first token, of nine in ten of the newest requests at most
    tpot_ms: int | None  # between tokens, likewise
    cache_percent: int  # of the fullest KV cache
    start: StartView | None
    message: str
    environment: str
    volumes: tuple[MountView, ...]
    secrets: Mapping[str, str]  # their names, by variable
    created_ms: int
    version: int
    replicas_list: tuple[ReplicaView, ...]


def endpoint_view(
    endpoint: Endpoint,
    replicas: Sequence[Replica],
    *,
    gateway_url: str,
    reasons: Mapping[str, str],
) -> EndpointView:
    """`replicas` are its live ones; `reasons` says why those wait that do, by id."""
    spec, demand = endpoint.spec, endpoint.demand
    ordered = sorted(replicas, key=lambda each: each.id)
    return EndpointView(
        id=endpoint.id,
        name=spec.name,
        tenant=endpoint.tenant,
        project=endpoint.project,
        phase=endpoint.phase.value,
        model=spec.model,
        served_name=spec.served_name,
        url=f"{gateway_url}/v1",
        revision=endpoint.generation,
        rollout=rollout_view(endpoint),
        last_rollout=endpoint.last_rollout,
        asleep=endpoint.asleep,
        replicas=ReplicaCountView(
            wanted=endpoint.replicas_wanted,
            ready=sum(replica.ready for replica in ordered),
            min=spec.replicas_min,
            max=spec.replicas_max,
            why=endpoint.why,
        ),
        queued=demand.queued if demand else 0,
        in_flight=demand.in_flight if demand else 0,
        requests=demand.requests if demand else 0,
        prompt_tokens=demand.prompt_tokens if demand else 0,
        completion_tokens=demand.completion_tokens if demand else 0,
        ttft_ms=(demand.ttft_ms if demand else 0) or None,
        tpot_ms=(demand.tpot_ms if demand else 0) or None,
        cache_percent=demand.cache_percent if demand else 0,
        start=_start_view(endpoint.start) if endpoint.start else None,
        message=endpoint.message,
        environment=spec.environment,
        volumes=tuple(mount_view(mount) for mount in spec.volumes),
        secrets={each.variable: each.secret for each in spec.secrets},
        created_ms=endpoint.created_ms,
        version=endpoint.version,
        replicas_list=tuple(
            _replica_view(replica, reasons.get(replica.id, "")) for replica in ordered
        ),
    )


def _start_view(start: StartTimes) -> StartView:
    return StartView(
        place_ms=start.place_ms,
        fetch_ms=start.fetch_ms,
        launch_ms=start.launch_ms,
        load_ms=start.load_ms,
    )


def _replica_view(replica: Replica, reason: str) -> ReplicaView:
    attempt = replica.attempt
    return ReplicaView(
        id=replica.id,
        node=attempt.nodes[0] if attempt and attempt.nodes else "",
        pid=attempt.ranks[0].pid if attempt and attempt.ranks else None,
        port=attempt.port if attempt else 0,
        phase=attempt.phase.value if attempt else "queued",
        ready=replica.ready,
        revision=replica.generation,
        draining=replica.draining_ms is not None,
        reason=reason,
    )
