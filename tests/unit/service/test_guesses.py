"""Guesses at keys are counted by address, in bounded memory, and forgiven in time."""

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.service.guesses import (
    ADDRESSES_MAX,
    CALM_MS,
    FAILURES_MAX,
    GOOD_MS,
    LOCK_MS,
    LOCK_MS_MAX,
    WINDOW_MS,
    Guesses,
    place,
)


def locked(guesses: Guesses, address: str = "10.0.0.1", *, sha: str = "x", now_ms: int) -> int:
    """For how many seconds; 0 for not."""
    try:
        guesses.check(address, sha, now_ms=now_ms)
    except RefusalError as error:
        return error.retry_after_s
    return 0


def guess(guesses: Guesses, times: int, *, now_ms: int) -> list[bool]:
    return [guesses.failed("10.0.0.1", now_ms=now_ms) for _ in range(times)]


def test_after_too_many_within_a_window_an_address_is_locked_out_and_longer_each_time() -> None:
    guesses, now_ms, waits = Guesses(), 0, list[int]()
    for _ in range(7):
        assert guess(guesses, FAILURES_MAX, now_ms=now_ms)[-1]
        waits.append(locked(guesses, now_ms=now_ms))
        now_ms += waits[-1] * 1000
        assert not locked(guesses, now_ms=now_ms)
    assert waits == [60, 120, 240, 480, 900, 900, 900]
    assert (LOCK_MS, LOCK_MS_MAX) == (60_000, 900_000)


def test_few_guesses_and_slow_ones_lock_nobody_out() -> None:
    guesses = Guesses()
    for minute in range(10):
        at_ms = minute * (WINDOW_MS + 1)
        assert not any(guess(guesses, FAILURES_MAX - 1, now_ms=at_ms))
        assert not locked(guesses, now_ms=at_ms)


def test_after_a_calm_all_is_forgotten() -> None:
    guesses = Guesses()
    guess(guesses, FAILURES_MAX, now_ms=0)
    guess(guesses, FAILURES_MAX, now_ms=CALM_MS + 1)
    assert locked(guesses, now_ms=CALM_MS + 1) == 60


def test_a_key_that_was_good_within_a_day_is_let_in_and_other_addresses_are() -> None:
    guesses = Guesses()
    guesses.succeeded("good", now_ms=0)
    guess(guesses, FAILURES_MAX, now_ms=GOOD_MS - 1)
    assert locked(guesses, now_ms=GOOD_MS - 1)
    assert not locked(guesses, sha="good", now_ms=GOOD_MS - 1)
    assert locked(guesses, sha="good", now_ms=GOOD_MS)
    assert not locked(guesses, "10.0.0.2", now_ms=GOOD_MS - 1)


def test_memory_is_bounded() -> None:
    guesses = Guesses()
    guess(guesses, FAILURES_MAX, now_ms=0)
    for n in range(ADDRESSES_MAX):
        guesses.failed(f"a{n}", now_ms=1)
    assert not locked(guesses, now_ms=1)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_addresses_of_one_network_of_ipv6_count_as_one(address: str, counted: str) -> None:
    assert place(address) == counted
