"""What counts as proof against a new revision, and what may be chance."""

from collections import Counter
from random import Random

import pytest

from gigawatt.model.rollout import TTFT_BUCKETS, RolloutPlan, Seen
from gigawatt.routing.evidence import CHANCE, fault, tail
from gigawatt.routing.latency import bucket_of, quantile_bucket, upper_ms

PLAN = RolloutPlan()


def seen(requests: int, errors: int = 0, *times_ms: tuple[float, int]) -> Seen:
    found = Seen(requests=requests, errors=errors)
    for ms, count in times_ms:
        found = found.plus(Seen(ttft=((bucket_of(ms), count),)))
    return found


def test_a_tail_is_the_sum_of_a_binomials_terms() -> None:
    assert tail(3, 3, 0.5) == pytest.approx(0.125)
    assert tail(2, 3, 0.5) == pytest.approx(0.5)
    assert tail(5, 30, 0.021) == pytest.approx(0.000_385, rel=0.05)
    assert tail(0, 10, 0.3) == 1.0
    assert tail(1_000_000, 1_000_000, 0.01) == 0.0


def test_a_time_is_in_the_bucket_whose_bounds_are_around_it() -> None:
    for ms in (1.5, 20.0, 333.0, 70_000.0):
        bucket = bucket_of(ms)
        assert upper_ms(bucket - 1) <= ms < upper_ms(bucket)
    assert (bucket_of(0.0), bucket_of(1e12)) == (0, TTFT_BUCKETS - 1)
    assert quantile_bucket(((3, 98), (7, 1), (9, 1)), 99) == 7


def test_a_few_requests_prove_nothing_however_bad() -> None:
    assert fault(seen(PLAN.requests_min - 1, PLAN.requests_min - 1), seen(1_000), PLAN) == ""


def test_many_more_errors_than_the_old_one_has_are_told_with_both_numbers() -> None:
    told = fault(seen(60, 20), seen(1_000, 3), PLAN)
    assert told == "20 of its 60 requests failed, and 3 of 1000 of the old revision's"
    assert fault(seen(60, 20), seen(0), PLAN) != ""


def test_errors_that_the_old_one_has_as_well_are_not_the_new_ones() -> None:
    assert fault(seen(60, 20), seen(600, 200), PLAN) == ""


def test_a_slower_revision_is_told_with_both_latencies_and_not_where_none_is_judged() -> None:
    old = seen(1_000, 0, (100.0, 985), (200.0, 15))
    new = seen(100, 0, (900.0, 100))
    told = fault(new, old, PLAN)
    assert told == "its p99 TTFT is 1024 ms, and the old revision's 215 ms"
    assert fault(new, old, RolloutPlan(slower_percent=0)) == ""
    assert fault(seen(100, 0, (120.0, 100)), old, PLAN) == ""


def by_chance(chance: Random, count: int) -> Seen:
    """Of requests that take as long, and fail as often, as chance has it."""
    times = Counter(bucket_of(chance.lognormvariate(5, 0.8)) for _ in range(count))
    errors = sum(chance.random() < 0.05 for _ in range(count))
    return Seen(requests=count, errors=errors, ttft=tuple(sorted(times.items())))


def test_two_revisions_that_are_the_same_are_hardly_ever_told_apart() -> None:
    chance = Random(7)
    told = [fault(by_chance(chance, 40), by_chance(chance, 400), PLAN) for _ in range(2_000)]
    assert sum(map(bool, told)) <= 2_000 * CHANCE * 10
