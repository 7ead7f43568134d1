"""Who is left alone for being slow: robustly, among enough peers, and never too many."""

from gigawatt.routing.outliers import TIMES_MIN, pause_s, ramped, slow_ones


def times(**medians_s: float) -> dict[str, list[float]]:
    return {name: [time_s] * TIMES_MIN for name, time_s in medians_s.items()}


def test_one_far_slower_than_its_peers_is_found() -> None:
    assert slow_ones(times(a=0.10, b=0.11, c=0.09, d=2.0)) == ["d"]


def test_of_two_replicas_nobody_knows_which_is_wrong() -> None:
    assert slow_ones(times(a=0.1, b=9.0)) == []


def test_replicas_that_differ_as_replicas_do_are_let_be() -> None:
    assert slow_ones(times(a=0.10, b=0.12, c=0.15, d=0.19)) == []
    assert slow_ones(times(a=0.001, b=0.001, c=0.004)) == []
    assert slow_ones(times(a=0.1, b=0.5, c=0.9, d=1.3, e=1.7)) == []


def test_a_few_slow_requests_do_not_make_a_slow_replica() -> None:
    seen = times(a=0.1, b=0.1, c=0.1)
    seen["c"] = [0.1] * (TIMES_MIN - 3) + [9.0] * 3
    assert slow_ones(seen) == []
    seen["c"] = [9.0] * (TIMES_MIN - 1)
    assert slow_ones(seen) == []


def test_no_more_than_a_third_are_left_alone_and_the_slowest_first() -> None:
    seen = times(a=0.1, b=0.1, c=0.1, d=0.1, e=0.1, f=0.1, g=5.0, h=9.0, i=7.0)
    assert slow_ones(seen) == ["h", "i", "g"]
    assert slow_ones(seen, alone=["h"]) == ["i", "g"]
    assert slow_ones(seen, alone=["h", "i", "g"]) == []
    assert slow_ones(times(a=0.1, b=5.0, c=0.1), alone=["a"]) == []


def test_a_pause_doubles_up_to_its_most_and_a_start_is_a_ramp() -> None:
    assert [pause_s(n, first_s=1, most_s=30) for n in (1, 2, 5, 9)] == [1, 2, 16, 30]
    ramp = [ramped(8, since_s=since_s, ramp_s=4) for since_s in (-1.0, 0.0, 1.0, 2.0, 4.0)]
    assert ramp == [1, 1, 2, 4, 8]


def test_a_slow_one_among_the_peers_moves_what_is_typical_by_little() -> None:
    seen = times(a=0.1, b=0.1, c=0.1, d=50.0, e=60.0, f=0.1, g=0.1)
    assert slow_ones(seen) == ["e", "d"]
