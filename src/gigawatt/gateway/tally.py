"""What is counted of an endpoint, and the differences that are reported to the control plane.

Counts are sent as differences since the last report that was acknowledged. A report whose acknowledgement was lost
is sent again: counts arrive at least once, not exactly once.
"""

from dataclasses import dataclass
from typing import TypedDict

from gigawatt.gateway.usage import Usage


class EndpointDemand(TypedDict):
    """One endpoint in the body of `POST /v1/gateway/demand`."""

    id: str
    in_flight: int
    queued: int
    last_request_ms: int
    requests_more: int
    prompt_tokens_more: int
    completion_tokens_more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    in_flight: int = 0
    queued: int = 0
    last_request_ms: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Tally:
    """The counts of one endpoint since the gateway started."""

    __slots__ = (
        "_acknowledged",
        "completion_tokens",
        "id",
        "in_flight",
        "last_request_ms",
        "prompt_tokens",
        "queued",
        "requests",
    )

    def __init__(self, endpoint_id: str) -> None:
        self.id = endpoint_id
        self.in_flight = 0  # at replicas now
        self.queued = 0  # in line now
        self.last_request_ms = 0  # when a request last arrived, or ended
        self.requests = 0  # answered by a replica
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self._acknowledged: Counts | None = None

    def add(self, usage: Usage) -> None:
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens

    def counts(self) -> Counts:
        return Counts(
            in_flight=self.in_flight,
            queued=self.queued,
            last_request_ms=self.last_request_ms,
            requests=self.requests,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
        )

    @property
    def settled(self) -> bool:
        """Nothing is under way, and all of it has been reported."""
        return not self.in_flight and not self.queued and self.counts() == self._acknowledged

    def demand(self, counts: Counts) -> EndpointDemand | None:
        """What to report of `counts`; None when it has all been acknowledged."""
        if counts == self._acknowledged:
            return None
        return self.demand_always(counts)

    def demand_always(self, counts: Counts) -> EndpointDemand:
        told = self._acknowledged or Counts()
        return EndpointDemand(
            id=self.id,
            in_flight=counts.in_flight,
            queued=counts.queued,
            last_request_ms=counts.last_request_ms,
            requests_more=counts.requests - told.requests,
            prompt_tokens_more=counts.prompt_tokens - told.prompt_tokens,
            completion_tokens_more=counts.completion_tokens - told.completion_tokens,
        )

    def acknowledge(self, counts: Counts) -> None:
        """The control plane has `counts`."""
        self._acknowledged = counts
