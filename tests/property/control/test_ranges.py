"""Arithmetic of ranges is arithmetic of sets, and equal sets are equal values."""

from itertools import pairwise

import hypothesis.strategies as st
from hypothesis import given

from gigawatt.model import ranges
from gigawatt.model.ranges import Ranges

NUMBERS = st.sets(st.integers(0, 60), max_size=40)


def of(numbers: set[int]) -> Ranges:
    return ranges.ranges_of((number, number) for number in numbers)


@given(NUMBERS)
def test_a_set_becomes_ranges_that_do_not_touch_and_back(numbers: set[int]) -> None:
    found = of(numbers)
    assert set(ranges.numbers(found)) == numbers
    assert ranges.size(found) == len(numbers)
    assert all(first <= last for first, last in found)
    assert all(one[1] + 1 < other[0] for one, other in pairwise(found))


@given(NUMBERS, NUMBERS)
def test_union_and_difference_are_those_of_sets(one: set[int], other: set[int]) -> None:
    assert ranges.union(of(one), of(other)) == of(one | other)
    assert ranges.minus(of(one), of(other)) == of(one - other)


@given(NUMBERS, st.integers(0, 60))
def test_one_number_is_put_in_and_taken_out(numbers: set[int], number: int) -> None:
    assert ranges.contains(of(numbers), number) == (number in numbers)
    assert ranges.with_one(of(numbers), number) == of(numbers | {number})
    assert ranges.without_one(of(numbers), number) == of(numbers - {number})


@given(NUMBERS, st.integers(-1, 50))
def test_the_lowest_are_taken_first(numbers: set[int], count: int) -> None:
    assert ranges.lowest(of(numbers), count) == of(set(sorted(numbers)[: max(count, 0)]))


def test_ranges_read_as_people_write_them() -> None:
    assert ranges.text(((0, 9), (12, 12))) == "0-9,12"
    assert ranges.text(()) == ""
