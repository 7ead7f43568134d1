"""Between running and zero: replicas that keep their place and let go of their accelerator's memory."""

from dataclasses import dataclass

from gigawatt.model.endpoint import Demand, EndpointSpec
from gigawatt.model.runtime import RUNTIMES

MS_PER_S = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """`due_ms` is when the answer changes by time alone; None when it does not."""

    asleep: bool
    due_ms: int | None = None


def driven(spec: EndpointSpec) -> bool:
    """Its replicas sleep and wake when they are told to."""
    return bool(spec.sleep_s and RUNTIMES[spec.runtime].sleep_path)


def tier(spec: EndpointSpec, demand: Demand | None, *, now_ms: int) -> Tier:
    """Asleep after a whole `sleep_s` without a request, awake with the first one."""
    if not driven(spec) or demand is None or not demand.last_request_ms:
        return Tier(asleep=False)
    if demand.in_flight or demand.queued:
        return Tier(asleep=False)
    quiet_ms = demand.last_request_ms + spec.sleep_s * MS_PER_S
    return Tier(asleep=True) if now_ms >= quiet_ms else Tier(asleep=False, due_ms=quiet_ms)
