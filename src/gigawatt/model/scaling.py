"""How an endpoint's number of replicas follows its load: what a person says of it, and what is remembered of the load."""

from dataclasses import dataclass

BUCKET_MS = 2_000  # of what is remembered of the load
SLOT_MS = 30 * 60_000  # of a day
DAY_MS = 24 * 3_600_000
SLOTS = DAY_MS // SLOT_MS
MILLI = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """At least so many replicas at these times of a week, in UTC; one that ends before it begins goes over midnight."""

    days: tuple[int, ...]  # 0 is Monday: those on which it begins
    from_minute: int  # of the day
    to_minute: int
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Without it an endpoint goes up by demand and down by quiet alone. Targets of 0 are none."""

    window_s: int = 20  # over which the load is averaged
    hold_s: int = 60  # the most that was needed within this time stays
    headroom_milli: int = 2_000  # standard deviations of the load that there is room for besides
    panic_s: int = 6  # over which a sudden load is averaged
    panic_percent: int = 200  # of what is ready: a load that needs as much counts at once
    down_percent: int = 50  # of the replicas that may be let go of within one window
    ttft_ms: int = 0
    tpot_ms: int = 0
    cache_percent: int = 85  # of a replica's KV cache
    backlog_tokens: int = 0  # of prompts that wait, for each replica
    forecast_percent: int = 80  # of what past days had at this time; 0: they do not count
    start_s: int = 60  # how long before its time a forecast counts
    floors: tuple[Floor, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSeen:
    """What is remembered of an endpoint's load, in buckets of time, counted from the epoch."""

    bucket: int = 0  # the newest
    requests: tuple[int, ...] = ()  # the most that there were in each bucket, the newest last
    needed: tuple[tuple[int, int], ...] = ()  # (bucket, replicas), each less than the one before
    stepped: int = 0  # the bucket in which replicas were last let go of
    days: tuple[int, ...] = ()  # milli-requests by slot of the day, over past days; -1: not seen
    slot: int = 0  # the newest, counted from the epoch
    slot_milli: int = 0  # sum of the averages of this slot so far
    slot_count: int = 0


NO_LOAD = LoadSeen()
