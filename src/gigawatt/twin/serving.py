"""Serving load: an endpoint whose requests follow a curve, as gangs in the same line and the same quota tree.

Production's scaling (`routing/autoscale.py`) says how many replicas that takes. Each of them is an endpoint of its own
here, of one replica or none, that production's reconcile starts and stops.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gigawatt.model.command import PutEndpoint
from gigawatt.model.endpoint import EndpointSpec
from gigawatt.model.environment import HOST
from gigawatt.model.gang import Shape
from gigawatt.model.observation import DemandSeen
from gigawatt.model.scaling import Scaling
from gigawatt.model.tenant import DEFAULT_TENANT
from gigawatt.twin.fleet import Moment, ReplicaModel
from gigawatt.twin.scaler import MS_PER_S, Autoscaler
from gigawatt.twin.work import COMMAND

BY = "twin"
DAY_MS = 86_400_000
PERCENT_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Diurnal:
    """Requests in flight over a day: `least` at one time and `most` twelve hours later, along a sine."""

    least: float
    most: float
    peak_ms: int  # of the day

    def at(self, at_ms: int) -> float:
        turn = math.cos(2 * math.pi * (at_ms - self.peak_ms) / DAY_MS)
        return self.least + (self.most - self.least) * (1 + turn) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Requests in flight from each time on, until the next; none before the first."""

    times_ms: tuple[int, ...]  # in order
    in_flight: tuple[float, ...]

    def at(self, at_ms: int) -> float:
        place = bisect_right(self.times_ms, at_ms)
        return self.in_flight[place - 1] if place else 0.0


# By the load of the moment and nothing else: what a curve shows is an average already.
AS_IT_IS = Scaling(
    window_s=2,
    hold_s=0,
    headroom_milli=0,
    panic_s=2,
    down_percent=100,
    cache_percent=0,
    forecast_percent=0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One endpoint. `step_ms`: how often the curve is looked at; after `until_ms` there is no load."""

    name: str
    project: str
    shape: Shape
    curve: Diurnal | Points
    concurrency: int = 8  # requests in flight that one replica is meant for
    scaling: Scaling = AS_IT_IS
    replicas_min: int = 0
    replicas_max: int = 1
    priority: int = 100
    ready_ms: int = 0  # from the start of its ranks until a replica answers
    step_ms: int = 300_000
    until_ms: int = DAY_MS

    def slot(self, place: int) -> str:
        return f"{self.name}-{place:04d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """The time has come to look at the curve of a load, by its place among them."""

    load: int
    at_ms: int  # since the workload's start


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What became of one load: how many replicas it wanted and had on average, and the part of it without any room."""

    name: str
    replicas_wanted: float
    replicas_ready: float
    unmet: float


@dataclass(slots=True)
class _Sums:
    wanted: int = 0
    ready: int = 0
    asked: float = 0.0
    unmet: float = 0.0
    looks: int = 0
    in_flight: float = 0.0  # since the last look
    asked_for: int = 0  # replicas, at the last look


class Serving:
    """Makes the endpoints, and says what their gateway would tell of them."""

    def __init__(self, loads: Sequence[Load]) -> None:
        self.loads = tuple(loads)
        self._sums = [_Sums() for _ in loads]
        self._scalers = [
            Autoscaler(
                ReplicaModel(concurrency=load.concurrency, start_s=load.ready_ms / MS_PER_S),
                load.scaling,
                least=load.replicas_min,
                most=load.replicas_max,
                idle_s=0,
            )
            for load in loads
        ]

    def endpoints(self) -> Iterator[PutEndpoint]:
        """Commands that make all of them, each without a replica."""
        for load in self.loads:
            for place in range(load.replicas_max):
                yield PutEndpoint(
                    id=load.slot(place),
                    tenant=DEFAULT_TENANT,
                    project=load.project,
                    by=BY,
                    spec=EndpointSpec(
                        name=load.slot(place),
                        model="",
                        model_path="",
                        served_name=load.name,
                        command=COMMAND,
                        shape=load.shape,
                        environment=HOST,
                        idle_s=0,
                        priority=load.priority,
                    ),
                )

    def ready_ms(self, gang: str) -> int:
        """How long a replica takes to answer, by the id of its gang."""
        load = next((load for load in self.loads if gang.startswith(f"{load.name}-")), None)
        return 0 if load is None else load.ready_ms

    def looks(self, look: Looks, ready: Sequence[str], *, now_ms: int) -> list[DemandSeen]:
        """What is told of each slot of the load. `ready`: gangs that answer now, of any load."""
        load, sums = self.loads[look.load], self._sums[look.load]
        there = {gang.rsplit(".", 2)[0]: gang for gang in ready}
        in_flight = load.curve.at(look.at_ms)
        slots = [load.slot(place) for place in range(load.replicas_max)]
        answer = sum(slot in there for slot in slots)
        moment = Moment(
            now_s=now_ms / MS_PER_S,
            in_flight=math.ceil(in_flight),
            queued=0,
            current=sums.asked_for,
            ready=min(answer, sums.asked_for),
        )
        over = look.at_ms >= load.until_ms
        wanted = 0 if over else self._scalers[look.load].wanted(moment)
        sums.asked_for = wanted
        if look.at_ms < load.until_ms:
            sums.looks += 1
            sums.wanted += wanted
            sums.ready += answer
            sums.asked += in_flight
            sums.unmet += max(in_flight - answer * load.concurrency, 0.0)
        part = min(sums.in_flight / (answer * load.concurrency), 1.0) if answer else 0.0
        busy_ms = round(load.step_ms * part)
        sums.in_flight = in_flight
        return [
            DemandSeen(
                at_ms=now_ms,
                endpoint=slot,
                in_flight=1 if place < wanted else 0,
                queued=0,
                last_request_ms=now_ms if place < wanted else 0,
                busy_ms_more=((there[slot], busy_ms),) if slot in there and busy_ms else (),
            )
            for place, slot in enumerate(slots)
        ]

    def next_look(self, look: Looks) -> Looks | None:
        """None once the load is over and has been told so."""
        load = self.loads[look.load]
        if look.at_ms >= load.until_ms:
            return None
        return Looks(load=look.load, at_ms=min(look.at_ms + load.step_ms, load.until_ms))

    def served(self) -> tuple[Served, ...]:
        return tuple(
            Served(
                name=load.name,
                replicas_wanted=_part(sums.wanted, sums.looks),
                replicas_ready=_part(sums.ready, sums.looks),
                unmet=_part(sums.unmet, sums.asked),
            )
            for load, sums in zip(self.loads, self._sums, strict=True)
        )


def _part(amount: float, whole: float) -> float:
    return round(amount / whole, PERCENT_DIGITS) if whole else 0.0
