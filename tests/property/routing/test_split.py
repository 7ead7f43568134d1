from hypothesis import given
from hypothesis import strategies as st

from gigawatt.routing.outliers import pause_s, ramped
from gigawatt.routing.split import pick, point_of_count, point_of_name

weights = st.lists(st.integers(0, 1_000), min_size=1, max_size=6)


@given(weights=weights, count=st.integers(0, 10**6))
def test_any_run_of_requests_is_shared_out_by_weight(weights: list[int], count: int) -> None:
    total = sum(weights)
    taken = [pick(weights, point_of_count(count + n)) for n in range(1_000)]
    for index, weight in enumerate(weights if total else []):
        assert abs(taken.count(index) - 1_000 * weight / total) <= 8


@given(weights=weights, name=st.binary(max_size=40))
def test_a_name_stays_on_its_side_and_what_weighs_nothing_takes_nothing(
    weights: list[int], name: bytes
) -> None:
    point = point_of_name(name)
    assert 0 <= point < 1
    index = pick(weights, point)
    assert index == pick(weights, point_of_name(name))
    assert weights[index] > 0 or not any(weights)


@given(failures=st.integers(1, 10_000))
def test_pauses_grow_up_to_their_bound(failures: int) -> None:
    assert 1 <= pause_s(failures, first_s=1, most_s=30) <= 30
    assert pause_s(failures, first_s=1, most_s=30) <= pause_s(failures + 1, first_s=1, most_s=30)


@given(concurrency=st.integers(1, 10_000), since_s=st.floats(-1, 20))
def test_a_new_replica_has_one_request_at_first_and_its_full_part_in_the_end(
    concurrency: int, since_s: float
) -> None:
    load = ramped(concurrency, since_s=since_s, ramp_s=5)
    assert 1 <= load <= concurrency
    assert since_s < 5 or load == concurrency
    assert ramped(concurrency, since_s=0, ramp_s=5) == 1
