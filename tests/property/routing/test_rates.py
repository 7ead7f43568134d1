import math

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.routing.rates import used, wait_s

WINDOW_S = 60.0
counts = st.integers(0, 10_000)
elapsed = st.floats(0, WINDOW_S)


@given(now=counts, before=counts, elapsed_s=elapsed, room=st.integers(0, 10_000))
def test_after_the_wait_there_is_the_room_that_was_waited_for(
    now: int, before: int, elapsed_s: float, room: int
) -> None:
    waited_s = wait_s(now, before, elapsed_s=elapsed_s, window_s=WINDOW_S, room=room)
    assert waited_s is not None
    assert 0 <= waited_s <= 2 * WINDOW_S
    at_s = elapsed_s + waited_s
    while at_s >= WINDOW_S and not math.isclose(at_s, WINDOW_S):
        now, before, at_s = 0, now, at_s - WINDOW_S
    after = used(now, before, elapsed_s=min(at_s, WINDOW_S), window_s=WINDOW_S)
    assert after <= room + 1e-6


@given(now=counts, before=counts, elapsed_s=elapsed)
def test_nobody_waits_for_room_that_is_there(now: int, before: int, elapsed_s: float) -> None:
    there = math.ceil(used(now, before, elapsed_s=elapsed_s, window_s=WINDOW_S))
    waited_s = wait_s(now, before, elapsed_s=elapsed_s, window_s=WINDOW_S, room=there)
    assert waited_s is not None
    assert waited_s < 1e-6


def test_what_is_more_than_may_ever_be_is_not_waited_for() -> None:
    assert wait_s(0, 0, elapsed_s=0, window_s=WINDOW_S, room=-1) is None
