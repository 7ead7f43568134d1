"""Requests against replicas that a policy starts and stops, in virtual time: each request's latency, and what it cost.

A replica computes prompts one after another at `prefill_tokens_s` and generates for all of its requests at once, each
token in `tpot_s`; `concurrency` requests fit. A request goes to the replica with the fewest in flight, and waits in one
line where none has room. A replica that is let go of answers what it has. GPU-seconds count from when one is asked for.
"""

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from gigawatt.twin.playback import Played
from gigawatt.twin.requests import Request

TAIL_S = 3600.0  # after the last request, until what is left is given up


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaModel:
    concurrency: int = 4
    prefill_tokens_s: float = 8000.0
    tpot_s: float = 0.03
    start_s: float = 30.0
    gpus: int = 1
    tick_s: float = 2.0  # how often the policy is asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a policy sees. `current` are replicas that were asked for, `ready` those that answer."""

    now_s: float
    in_flight: int
    queued: int
    current: int
    ready: int


class Policy(Protocol):
    def wanted(self, moment: Moment) -> int: ...


class _Kind(IntEnum):
    TICK = 0
    READY = 1
    ANSWERED = 2


class Fleet:
    """One run. `start` replicas are ready at its beginning; `judged_from_s` is when what is reported begins."""

    def __init__(
        self, model: ReplicaModel, policy: Policy, *, start: int, judged_from_s: float = 0.0
    ) -> None:
        self._model, self._policy, self._judged_s = model, policy, judged_from_s
        self._events: list[tuple[float, int, _Kind, int]] = []
        self._sequence = 0
        self._in_flight: dict[int, int] = dict.fromkeys(range(start), 0)  # of ready ones
        self._computed_s: dict[int, float] = dict.fromkeys(range(start), 0.0)  # prompts until then
        self._starting: set[int] = set()
        self._leaving: dict[int, int] = {}
        self._newest = start
        self._line: deque[Request] = deque()
        self._busy = 0
        self._paid_s, self._paid_until_s = 0.0, 0.0
        self.cold_starts = 0
        self.played: list[Played] = []

    def run(self, requests: Sequence[Request]) -> float:
        """GPU-seconds from `judged_from_s` on; `played` has each request."""
        self._push(0.0, _Kind.TICK, 0)
        end_s = requests[-1].at_s + TAIL_S if requests else 0.0
        at, count = 0, len(requests)
        while at < count or self._busy or self._line:
            next_s = requests[at].at_s if at < count else math.inf
            if next_s <= self._events[0][0]:
                self._line.append(requests[at])
                self._send(next_s)
                at += 1
                continue
            now_s, _, kind, replica = heapq.heappop(self._events)
            if now_s > end_s:
                break
            self._pay(now_s)
            self._happen(kind, replica, now_s)
            self._send(now_s)
        return self._paid_s * self._model.gpus

    def _happen(self, kind: _Kind, replica: int, now_s: float) -> None:
        if kind is _Kind.TICK:
            self._scale(now_s)
            self._push(now_s + self._model.tick_s, _Kind.TICK, 0)
        elif kind is _Kind.READY:
            if replica in self._starting:
                self._starting.discard(replica)
                self._in_flight[replica], self._computed_s[replica] = 0, now_s
        else:
            self._busy -= 1
            if replica in self._in_flight:
                self._in_flight[replica] -= 1
            else:
                self._leaving[replica] -= 1
                if not self._leaving[replica]:
                    del self._leaving[replica]

    def _send(self, now_s: float) -> None:
        while self._line and self._in_flight:
            replica = min(self._in_flight, key=self._in_flight.__getitem__)
            if self._in_flight[replica] >= self._model.concurrency:
                return
            request = self._line.popleft()
            self._in_flight[replica] += 1
            self._busy += 1
            begun_s = max(now_s, self._computed_s[replica])
            first_s = begun_s + request.prompt_tokens / self._model.prefill_tokens_s
            self._computed_s[replica] = first_s
            end_s = first_s + request.completion_tokens * self._model.tpot_s
            self._push(end_s, _Kind.ANSWERED, replica)
            if request.at_s >= self._judged_s:
                self.played.append(
                    Played(
                        at_s=request.at_s,
                        ttft_s=first_s - request.at_s,
                        end_s=end_s - request.at_s,
                        tokens=request.completion_tokens,
                    )
                )

    def _scale(self, now_s: float) -> None:
        ready, current = len(self._in_flight), len(self._in_flight) + len(self._starting)
        moment = Moment(
            now_s=now_s,
            in_flight=self._busy - sum(self._leaving.values()),
            queued=len(self._line),
            current=current,
            ready=ready,
        )
        wanted = self._policy.wanted(moment)
        for _ in range(wanted - current):
            self._starting.add(self._newest)
            self._push(now_s + self._model.start_s, _Kind.READY, self._newest)
            self._newest += 1
            self.cold_starts += now_s >= self._judged_s
        for _ in range(current - wanted):
            self._let_go()

    def _let_go(self) -> None:
        """The newest that has not started, else the one with the least to do."""
        if self._starting:
            self._starting.discard(max(self._starting))
            return
        replica = min(self._in_flight, key=lambda each: (self._in_flight[each], -each))
        left = self._in_flight.pop(replica)
        if left:
            self._leaving[replica] = left

    def _pay(self, now_s: float) -> None:
        since_s = max(self._paid_until_s, self._judged_s)
        if now_s > since_s:
            there = len(self._in_flight) + len(self._starting) + len(self._leaving)
            self._paid_s += there * (now_s - since_s)
        self._paid_until_s = now_s

    def _push(self, at_s: float, kind: _Kind, replica: int) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (at_s, self._sequence, kind, replica))
