"""Replicas that fail are left alone for longer each time, and come back, as new ones do, with a part of their load."""

from math import ceil


def pause_s(failures: int, *, first_s: float, most_s: float) -> float:
    """How long a replica is passed over after its n-th failure in a row: doubled each time."""
    assert failures >= 1
    return min(first_s * 2.0 ** min(failures - 1, 30), most_s)


def ramped(concurrency: int, *, since_s: float, ramp_s: float) -> int:
    """How many requests a replica may have that has been there for `since_s`: all of them after `ramp_s`, one at first."""
    if since_s >= ramp_s:
        return concurrency
    return max(ceil(concurrency * max(since_s, 0.0) / ramp_s), 1)
