"""How many replicas an endpoint should have, from what the gateway last said of it."""

from dataclasses import dataclass

from gigawatt.model.endpoint import Demand, EndpointSpec

MS_PER_S = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`due_ms` is when the answer changes by time alone; None when only new demand or a new spec can change it."""

    replicas: int
    due_ms: int | None


def target_replicas(
    spec: EndpointSpec, demand: Demand | None, *, current: int, ready: int, now_ms: int
) -> Target:
    """The wanted replicas of an endpoint that has `current` of them, `ready` of those serving.

    With requests queued or in flight: enough for all of them at `spec.concurrency` each, at least one, and never
    fewer than now. Without: what there is, until a whole `spec.idle_s` has passed since the last request; then
    `spec.replicas_min`. So it goes up by demand at once, down by quiet alone, and cannot flap in between.
    """
    assert 0 <= ready <= current, f"{ready} ready of {current}"
    assert 0 <= spec.replicas_min <= spec.replicas_max, spec
    held = min(max(current, spec.replicas_min), spec.replicas_max)
    if demand is None:
        return Target(replicas=spec.replicas_min, due_ms=None)
    requests = demand.in_flight + demand.queued
    if requests > 0:
        needed = -(-requests // spec.concurrency)
        return Target(replicas=min(max(needed, held), spec.replicas_max), due_ms=None)
    quiet_ms = demand.last_request_ms + spec.idle_s * MS_PER_S
    if held == spec.replicas_min or now_ms >= quiet_ms:
        return Target(replicas=spec.replicas_min, due_ms=None)
    return Target(replicas=held, due_ms=quiet_ms)
