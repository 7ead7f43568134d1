"""A supervisor's clock: steady, and the leader's."""

import time

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.engine.supervisor.times import SKEW_MS, Clock

HOUR_MS = 3_600_000
DAYS_MS = st.integers(min_value=-100 * 24 * HOUR_MS, max_value=100 * 24 * HOUR_MS)


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def test_a_clock_that_is_nearly_right_is_left_alone() -> None:
    clock = Clock()
    assert clock.heed(wall_ms() + SKEW_MS // 2) == 0
    assert abs(clock.now_ms() - wall_ms()) < SKEW_MS
    assert clock.of_host(12_345) == 12_345


@given(st.lists(DAYS_MS, min_size=1, max_size=8))
def test_after_each_word_of_the_leader_it_is_within_a_moment_of_its_time(offs: list[int]) -> None:
    clock = Clock()
    for off_ms in offs:
        clock.heed(wall_ms() + off_ms)
        assert abs(clock.now_ms() - (wall_ms() + off_ms)) <= SKEW_MS + 100
        told_ms = clock.of_host(wall_ms())  # what a program of this host calls now
        assert abs(told_ms - (wall_ms() + off_ms)) <= 2 * SKEW_MS + 100


def test_between_them_it_never_goes_back() -> None:
    clock = Clock()
    clock.heed(wall_ms() - HOUR_MS)
    times = [clock.now_ms() for _ in range(1000)]
    assert times == sorted(times)
