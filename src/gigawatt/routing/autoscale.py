"""How many replicas an endpoint should have, from what the gateway last said of it and what is remembered of its load.

An endpoint without `scaling` goes up by demand and down by quiet alone. With it, replicas follow the load: enough for its
average and for some standard deviations more, since the number of requests of many independent clients varies as its
square root does; the most that was needed within a while stays.
"""

from dataclasses import dataclass, field, replace
from math import isqrt

from gigawatt.model.endpoint import Demand, EndpointSpec
from gigawatt.model.scaling import BUCKET_MS, DAY_MS, MILLI, NO_LOAD, Floor, LoadSeen, Scaling
from gigawatt.routing.load import average_milli, forecast_milli

MS_PER_S = 1000
MS_PER_MINUTE = 60_000
EPOCH_WEEKDAY = 3  # the first of January 1970 was a Thursday
WORSE_PERCENT_MAX = 200  # a latency over its target asks for at most twice as many replicas


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`due_ms` is when the answer changes by time alone; None when only new demand or a new spec can change it.

    `why` is one sentence; `load` is what is to be remembered.
    """

    replicas: int
    due_ms: int | None
    why: str = field(default="", compare=False)
    load: LoadSeen = field(default=NO_LOAD, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    replicas: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """An endpoint with `scaling`, as it is now."""

    spec: EndpointSpec
    scaling: Scaling
    demand: Demand
    load: LoadSeen
    current: int
    ready: int
    now_ms: int

    @property
    def requests(self) -> int:
        return self.demand.in_flight + self.demand.queued


def target_replicas(
    spec: EndpointSpec,
    demand: Demand | None,
    *,
    current: int,
    ready: int,
    now_ms: int,
    load: LoadSeen = NO_LOAD,
) -> Target:
    """The wanted replicas of an endpoint that has `current` of them, `ready` of those serving."""
    assert 0 <= ready <= current, f"{ready} ready of {current}"
    assert 0 <= spec.replicas_min <= spec.replicas_max, spec
    if spec.scaling is None:
        return _by_quiet(spec, demand, current=current, now_ms=now_ms)
    moment = _Moment(
        spec=spec,
        scaling=spec.scaling,
        demand=demand or Demand(at_ms=now_ms),
        load=load,
        current=current,
        ready=ready,
        now_ms=now_ms,
    )
    return _by_load(moment)


def started_ahead(spec: EndpointSpec, *, start_ms: int) -> EndpointSpec:
    """The same, with forecasts and floors that count as long before their time as a replica takes to start."""
    scaling, start_s = spec.scaling, -(-start_ms // MS_PER_S)
    if scaling is None or start_s <= scaling.start_s:
        return spec
    return replace(spec, scaling=replace(scaling, start_s=start_s))


def floor_now(floors: tuple[Floor, ...], *, now_ms: int) -> int:
    """The most of those that hold at that time."""
    day, minute = now_ms // DAY_MS, now_ms % DAY_MS // MS_PER_MINUTE
    weekday = (day + EPOCH_WEEKDAY) % 7
    return max((each.replicas for each in floors if _holds(each, weekday, minute)), default=0)


def _by_quiet(spec: EndpointSpec, demand: Demand | None, *, current: int, now_ms: int) -> Target:
    """With requests queued or in flight: enough for all of them at `spec.concurrency` each, at least one, and never
    fewer than now. Without: what there is, until a whole `spec.idle_s` has passed since the last request; then
    `spec.replicas_min`. So it goes up by demand at once, down by quiet alone, and cannot flap in between.
    """
    held = min(max(current, spec.replicas_min), spec.replicas_max)
    if demand is None:
        why = f"no request yet: the least there may be is {spec.replicas_min}"
        return Target(replicas=spec.replicas_min, due_ms=None, why=why)
    requests = demand.in_flight + demand.queued
    if requests > 0:
        needed = -(-requests // spec.concurrency)
        wanted = min(max(needed, held), spec.replicas_max)
        why = f"{requests} requests need {needed} of {spec.concurrency} each"
        more = "" if wanted == needed else f"; {wanted} stay until it is quiet"
        if needed > spec.replicas_max:
            more = f", and there may be {spec.replicas_max}"
        return Target(replicas=wanted, due_ms=None, why=why + more)
    quiet_ms = demand.last_request_ms + spec.idle_s * MS_PER_S
    if held == spec.replicas_min or now_ms >= quiet_ms:
        why = f"no request for {spec.idle_s} s: the least there may be is {spec.replicas_min}"
        return Target(replicas=spec.replicas_min, due_ms=None, why=why)
    why = f"no request now: {held} stay until {spec.idle_s} s have passed without one"
    return Target(replicas=held, due_ms=quiet_ms, why=why)


def _by_load(at: _Moment) -> Target:
    spec, scaling = at.spec, at.scaling
    need = max(_needs(at), key=lambda each: each.replicas)
    bucket = at.now_ms // BUCKET_MS
    held, load = _held(at.load, need, scaling, bucket)
    wanted, why = need.replicas, need.why
    if held > wanted:
        wanted, why = held, f"{held} were needed within the last {scaling.hold_s} s; now {why}"
    least = _step(at.current, scaling, load, bucket)
    if least > wanted:
        wanted, why = least, f"let go of step by step, down to {wanted}: {why}"
    bounded = min(max(wanted, spec.replicas_min), spec.replicas_max)
    if bounded != wanted:
        why = f"{why}; there may be {spec.replicas_min} to {spec.replicas_max}"
    if bounded < at.current:
        load = replace(load, stepped=bucket)
    return Target(replicas=bounded, due_ms=_due(at, bounded), why=why, load=load)


def _needs(at: _Moment) -> list[_Need]:
    """What each signal asks for, the plainest first: between equals it is the one that is told."""
    spec, scaling = at.spec, at.scaling
    average = average_milli(at.load, scaling.window_s)
    sudden = average_milli(at.load, scaling.panic_s)
    quiet = not at.requests and at.now_ms >= at.demand.last_request_ms + spec.idle_s * MS_PER_S
    found = [_Need(replicas=0, why=f"no request for {spec.idle_s} s")]
    if not quiet:
        found.append(_Need(replicas=1, why=f"a request within {spec.idle_s} s"))
        found.append(_room(spec, scaling, average, f"{_tenths(average)} requests"))
    panic = -(-sudden // (spec.concurrency * MILLI))
    if panic * 100 >= scaling.panic_percent * max(at.ready, 1):
        found.append(_Need(replicas=panic, why=f"a sudden {_tenths(sudden)} requests need {panic}"))
    ahead_ms = -(-scaling.start_s * MS_PER_S // MS_PER_MINUTE) * MS_PER_MINUTE  # as it is looked at
    floor = floor_now(scaling.floors, now_ms=at.now_ms)
    if floor:
        found.append(_Need(replicas=floor, why=f"at this time there are at least {floor}"))
    coming = floor_now(scaling.floors, now_ms=at.now_ms + ahead_ms)
    if coming > floor:
        why = f"within {ahead_ms // MS_PER_S} s there are to be at least {coming}, ready by then"
        found.append(_Need(replicas=coming, why=why))
    expected = forecast_milli(at.load, at_ms=at.now_ms + ahead_ms)
    expected = expected * scaling.forecast_percent // 100
    if expected:
        told = f"{_tenths(expected)} requests of past days at this time"
        found.append(_room(spec, scaling, expected, told))
    return [*found, *_strained(at)]


def _strained(at: _Moment) -> list[_Need]:
    """What replicas say that have more to do than they should."""
    scaling, demand, ready = at.scaling, at.demand, at.ready
    found: list[_Need] = []
    for name, seen, target, unit in (
        ("TTFT", demand.ttft_ms, scaling.ttft_ms, " ms"),
        ("TPOT", demand.tpot_ms, scaling.tpot_ms, " ms"),
        ("KV cache use", demand.cache_percent, scaling.cache_percent, " %"),
    ):
        if target and seen > target and at.requests:
            percent = min(seen * 100 // target, WORSE_PERCENT_MAX)
            needed = -(-ready * percent // 100)
            why = f"{name} of {seen}{unit} is over {target}{unit}: {needed} instead of {ready}"
            found.append(_Need(replicas=needed, why=why))
    if scaling.backlog_tokens and demand.backlog_tokens:
        needed = -(-demand.backlog_tokens // scaling.backlog_tokens)
        why = f"{demand.backlog_tokens} tokens wait, {scaling.backlog_tokens} for each"
        found.append(_Need(replicas=needed, why=why))
    return found


def _room(spec: EndpointSpec, scaling: Scaling, milli: int, told: str) -> _Need:
    """Enough for a load and its headroom."""
    spread = isqrt(milli * MILLI)  # of a Poisson variable: the root of its mean, in thousandths
    needed = -(-(milli + spread * scaling.headroom_milli // MILLI) // (spec.concurrency * MILLI))
    room = f" and {scaling.headroom_milli / MILLI:g} deviations of room" if spread else ""
    return _Need(replicas=needed, why=f"{told}{room} need {needed} of {spec.concurrency} each")


def _held(load: LoadSeen, need: _Need, scaling: Scaling, bucket: int) -> tuple[int, LoadSeen]:
    """The most that was needed within the hold time, and the load with this need in it."""
    oldest = bucket - scaling.hold_s * MS_PER_S // BUCKET_MS
    before = [each for each in load.needed if each[0] > oldest and each[1] > need.replicas]
    needed = (*before, (bucket, need.replicas))
    return needed[0][1], replace(load, needed=needed)


def _step(current: int, scaling: Scaling, load: LoadSeen, bucket: int) -> int:
    """The least that may be left now."""
    soon = bucket - load.stepped < scaling.window_s * MS_PER_S // BUCKET_MS
    return current if soon else current - max(current * scaling.down_percent // 100, 1)


def _due(at: _Moment, wanted: int) -> int | None:
    """While there is anything to let go of, every bucket; else when the next floor or forecast may begin."""
    if wanted > at.spec.replicas_min or at.requests:
        return at.now_ms + BUCKET_MS
    if at.scaling.floors or at.scaling.forecast_percent:
        return (at.now_ms // MS_PER_MINUTE + 1) * MS_PER_MINUTE
    return None


def _holds(floor: Floor, weekday: int, minute: int) -> bool:
    if floor.from_minute < floor.to_minute:
        return weekday in floor.days and floor.from_minute <= minute < floor.to_minute
    before = (weekday - 1) % 7
    begun = weekday in floor.days and minute >= floor.from_minute
    return begun or (before in floor.days and minute < floor.to_minute)


def _tenths(milli: int) -> str:
    return f"{milli / MILLI:.1f}"
