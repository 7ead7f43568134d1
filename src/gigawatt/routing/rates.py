"""How much of a rate is used: a window that slides over two counts, this window's and the last one's.

What was counted in the last window is taken to have been spread evenly over it, so its part that is less than a window
ago is what is left of it. Two numbers a window, whatever the rate, and several counters can be added up.
"""


def used(now: float, before: float, *, elapsed_s: float, window_s: float) -> float:
    """What was counted in the last `window_s`: `now` in this window, which began `elapsed_s` ago, `before` in the last."""
    assert 0 <= elapsed_s <= window_s
    return now + before * (1 - elapsed_s / window_s)


def wait_s(
    now: float, before: float, *, elapsed_s: float, window_s: float, room: float
) -> float | None:
    """How long until no more than `room` is used, if nothing is added; None for never."""
    if room < 0:
        return None
    left_s = window_s - elapsed_s
    if room >= now:
        decayed_s = left_s - window_s * (room - now) / before if before else 0.0
        if decayed_s <= left_s:
            return max(decayed_s, 0.0)
    return left_s + (window_s * (1 - room / now) if now > room else 0.0)
