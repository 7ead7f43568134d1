"""What is counted of an endpoint, and the differences that are reported to the control plane.

Counts are sent as differences since the last report that was acknowledged. A report whose acknowledgement was lost
is sent again: counts arrive at least once, not exactly once.
"""

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from gigawatt.gateway.busy import BusyTime
from gigawatt.gateway.revision_tally import RevisionDemand, RevisionTally, news
from gigawatt.gateway.usage import Usage

LATENCIES_KEPT = 64  # of the newest requests


class EndpointDemand(TypedDict):
    """One endpoint in the body of `POST /v1/gateway/demand`."""

    id: str
    in_flight: int
    queued: int
    last_request_ms: int
    requests_more: int
    prompt_tokens_more: int
    completion_tokens_more: int
    busy_ms_more: dict[str, int]  # by replica: for how long it had a request
    backlog_tokens: int
    ttft_ms: int
    tpot_ms: int
    cache_percent: int
    open: list[str]  # replicas that have requests now
    revisions: dict[str, RevisionDemand]  # by generation


def _none() -> Mapping[str, int]:
    return {}


def _no_revisions() -> Mapping[int, tuple[int, ...]]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    in_flight: int = 0
    queued: int = 0
    last_request_ms: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    # By replica. It grows without news while a reply is long: what ends it is news by its own time.
    busy_ms: Mapping[str, int] = field(default_factory=_none, compare=False)
    revisions: Mapping[int, tuple[int, ...]] = field(default_factory=_no_revisions)
    open: tuple[str, ...] = ()  # replicas


class Tally:
    """The counts of one endpoint since the gateway started."""

    __slots__ = (
        "_acknowledged",
        "_busy",
        "_revisions",
        "_tpot_s",
        "_ttft_s",
        "backlog_tokens",
        "cache_percent",
        "completion_tokens",
        "id",
        "in_flight",
        "last_request_ms",
        "mean_s",
        "open_elsewhere",
        "prompt_tokens",
        "queued",
        "requests",
        "told_ms",
    )

    def __init__(self, endpoint_id: str) -> None:
        self.id = endpoint_id
        self.in_flight = 0  # at replicas now
        self.queued = 0  # in line now
        self.last_request_ms = 0  # when a request last arrived, or ended
        self.requests = 0  # answered by a replica
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.backlog_tokens = 0  # of the prompts in line, about
        self.cache_percent = 0  # of the fullest KV cache of its replicas
        self.told_ms: tuple[int, int] = (0, 0)  # TTFT and TPOT, where others have measured them
        self._ttft_s: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._tpot_s: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self.mean_s = 0.0  # that a request takes at a replica, of late
        self._acknowledged: Counts | None = None
        self._busy: dict[str, BusyTime] = {}  # by replica
        self._revisions: dict[int, RevisionTally] = {}  # by generation
        self.open_elsewhere: frozenset[str] = frozenset()  # replicas that others give requests

    def busy(self, replica: str, monotonic_s: Callable[[], float]) -> BusyTime:
        """Where a replica's requests begin and end."""
        found = self._busy.get(replica)
        if found is None:
            found = self._busy[replica] = BusyTime(monotonic_s)
        return found

    def revision(self, generation: int) -> RevisionTally:
        """Where what came of a revision's requests is counted."""
        found = self._revisions.get(generation)
        if found is None:
            found = self._revisions[generation] = RevisionTally()
        return found

    def began(self, ttft_s: float) -> None:
        """A reply has begun so long after its request came."""
        self._ttft_s.append(ttft_s)

    def answered(self, usage: Usage | None, took_s: float, streamed_s: float) -> None:
        """A replica has answered in `took_s`; from its first byte to its last a stream took `streamed_s`."""
        self.mean_s = took_s if not self.mean_s else self.mean_s + (took_s - self.mean_s) / 8
        if usage is not None and streamed_s and usage.completion_tokens > 1:
            self._tpot_s.append(streamed_s / (usage.completion_tokens - 1))

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
            busy_ms={replica: busy.total_ms for replica, busy in self._busy.items()},
            revisions={each: tuple(tally.counts) for each, tally in self._revisions.items()},
            open=tuple(
                sorted(
                    {each for each, busy in self._busy.items() if busy.open} | self.open_elsewhere
                )
            ),
        )

    @property
    def settled(self) -> bool:
        """Nothing is under way, and all of it has been reported."""
        at_rest = not self.in_flight and not self.queued
        told = self.counts() == self._acknowledged
        return at_rest and told and all(busy.settled for busy in self._busy.values())

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
            busy_ms_more={
                replica: more
                for replica, total_ms in sorted(counts.busy_ms.items())
                if (more := total_ms - self._busy[replica].reported_ms)
            },
            backlog_tokens=self.backlog_tokens,
            ttft_ms=max(self.told_ms[0], _high_ms(self._ttft_s)),
            tpot_ms=max(self.told_ms[1], _high_ms(self._tpot_s)),
            cache_percent=self.cache_percent,
            open=list(counts.open),
            revisions=news(self._revisions, counts.revisions),
        )

    def acknowledge(self, counts: Counts) -> None:
        """The control plane has `counts`."""
        self._acknowledged = counts
        for generation, counted in counts.revisions.items():
            self._revisions[generation].acknowledge(counted)
        for replica, total_ms in counts.busy_ms.items():
            busy = self._busy.get(replica)  # it may have been let go of while the report was sent
            if busy is not None:
                busy.reported_ms = min(total_ms, busy.total_ms)

    def forget_replicas(self, known: Collection[str]) -> None:
        """Let go of replicas that are gone, once all of their time is reported."""
        gone = [each for each, busy in self._busy.items() if each not in known and busy.settled]
        for replica in gone:
            del self._busy[replica]


def _high_ms(seconds: Collection[float]) -> int:
    """What nine in ten are not above; 0 of none."""
    ordered = sorted(seconds)
    return round(ordered[len(ordered) * 9 // 10] * 1000) if ordered else 0
