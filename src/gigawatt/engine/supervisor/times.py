"""What time it is: the leader's, so that what several hosts put on record can be compared, whatever their own clocks say.

It runs with the host's steady clock, and is set by the leader whenever both differ by more than a moment.
"""

from __future__ import annotations

import time

SKEW_MS = 1_000  # less is what a message takes on a busy machine, and left to NTP
STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def wall_ms() -> int:
    """Milliseconds since the Unix epoch, as this host has it."""
    return time.time_ns() // 1_000_000


class Clock:
    def __init__(self) -> None:
        self._zero_ms = wall_ms() - _steady_ms()

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return self._zero_ms + _steady_ms()

    def heed(self, leader_ms: int) -> int:
        """The leader has said what time it is; by how much we were wrong, 0 where that is nothing."""
        wrong_ms = leader_ms - self.now_ms()
        if abs(wrong_ms) < SKEW_MS:
            return 0
        self._zero_ms += wrong_ms
        return wrong_ms

    def of_host(self, at_ms: int) -> int:
        """What a program of this host calls that moment, in our time."""
        ahead_ms = self.now_ms() - wall_ms()
        return at_ms if abs(ahead_ms) < SKEW_MS else at_ms + ahead_ms


def _steady_ms() -> int:
    return time.clock_gettime_ns(STEADY) // 1_000_000
