"""Replicas that fail, or answer far more slowly than the others, are left alone for longer each time, and come back, as
new ones do, with a part of their load.
"""

from collections.abc import Collection, Mapping, Sequence
from math import ceil
from statistics import median

PEERS_MIN = 3  # replicas that are compared: of two, nobody knows which one is wrong
TIMES_MIN = 16  # of a replica's newest requests, before anything is made of it
TIMES_KEPT = 32
SLOW_FACTOR = 3.0  # times what is typical of the others
SLOW_DEVIATIONS = 5.0
SLOW_LEAST_S = 0.05  # beyond what is typical of the others: less than that is not worth a replica
SHARE_MAX = 3  # of the replicas, one in so many may be left alone for it
MAD_TO_DEVIATION = 1.4826  # of a normal variable


def pause_s(failures: int, *, first_s: float, most_s: float) -> float:
    """How long a replica is passed over after its n-th failure in a row: doubled each time."""
    assert failures >= 1
    return min(first_s * 2.0 ** min(failures - 1, 30), most_s)


def ramped(concurrency: int, *, since_s: float, ramp_s: float) -> int:
    """How many requests a replica may have that has been there for `since_s`: all of them after `ramp_s`, one at first."""
    if since_s >= ramp_s:
        return concurrency
    return max(ceil(concurrency * max(since_s, 0.0) / ramp_s), 1)


def slow_ones(times_s: Mapping[str, Sequence[float]], alone: Collection[str] = ()) -> list[str]:
    """Replicas to be left alone for their times to the first byte, the slowest first; `alone` are already.

    What is typical of a replica is its median, and it is compared with the medians of the others by their median and
    their median absolute deviation (Hampel, "The Influence Curve and Its Role in Robust Estimation", JASA 1974): a slow
    one among them moves neither by much.
    """
    room = len(times_s) // SHARE_MAX - len(alone)
    typical = {
        name: median(times)
        for name, times in sorted(times_s.items())
        if len(times) >= TIMES_MIN and name not in alone
    }
    found = [
        name
        for name, time_s in sorted(typical.items(), key=lambda each: (-each[1], each[0]))
        if _is_slow(time_s, [each for other, each in typical.items() if other != name])
    ]
    return found[: max(room, 0)]


def _is_slow(time_s: float, others: Sequence[float]) -> bool:
    if len(others) < PEERS_MIN - 1:
        return False
    middle = median(others)
    deviation = MAD_TO_DEVIATION * median(abs(each - middle) for each in others)
    beyond_s = max(middle * (SLOW_FACTOR - 1.0), deviation * SLOW_DEVIATIONS, SLOW_LEAST_S)
    return time_s > middle + beyond_s
