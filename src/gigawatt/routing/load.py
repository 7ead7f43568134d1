"""What an endpoint's load was: buckets of the last minutes, and the same time of past days."""

from dataclasses import replace

from gigawatt.model.scaling import BUCKET_MS, DAY_MS, MILLI, SLOT_MS, SLOTS, LoadSeen, Scaling

BUCKETS_MAX = 150
UNSEEN = -1


def with_requests(load: LoadSeen, requests: int, scaling: Scaling, *, now_ms: int) -> LoadSeen:
    """The same after `requests` were seen, in flight and queued. What was seen last held until now."""
    bucket = now_ms // BUCKET_MS
    kept = min(-(-scaling.window_s * MILLI // BUCKET_MS), BUCKETS_MAX)
    if not load.requests:
        return _into_slot(replace(load, bucket=bucket, requests=(requests,)), now_ms, requests)
    passed = min(max(bucket - load.bucket, 0), kept)
    if not passed:
        newest = max(load.requests[-1], requests)
        return replace(load, requests=(*load.requests[:-1], newest))
    before = (*load.requests, *((load.requests[-1],) * (passed - 1)), requests)
    after = replace(load, bucket=bucket, requests=before[-kept:])
    return _into_slot(after, now_ms, requests)


def average_milli(load: LoadSeen, window_s: int) -> int:
    """Milli-requests over the newest `window_s`; 0 where nothing was seen."""
    count = max(-(-window_s * MILLI // BUCKET_MS), 1)
    newest = load.requests[-count:]
    return sum(newest) * MILLI // len(newest) if newest else 0


def forecast_milli(load: LoadSeen, *, at_ms: int) -> int:
    """What past days had at that time; 0 where none was seen."""
    if not load.days:
        return 0
    return max(load.days[at_ms % DAY_MS // SLOT_MS], 0)


def _into_slot(load: LoadSeen, now_ms: int, requests: int) -> LoadSeen:
    slot = now_ms // SLOT_MS
    if slot == load.slot:
        added = load.slot_milli + requests * MILLI
        return replace(load, slot_milli=added, slot_count=load.slot_count + 1)
    days = list(load.days) or [UNSEEN] * SLOTS
    if load.slot_count:
        place, average = load.slot % SLOTS, load.slot_milli // load.slot_count
        days[place] = average if days[place] == UNSEEN else (days[place] + average) // 2
    return replace(load, days=tuple(days), slot=slot, slot_milli=requests * MILLI, slot_count=1)
