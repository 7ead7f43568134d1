"""Sets of whole numbers as ranges: `((0, 9), (12, 12))` is 0 to 9 and 12. However many numbers, it is as small as its gaps.

A value is always in normal form: first before last, ascending, and no two ranges touch; so equal sets are equal values.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

Ranges = tuple[tuple[int, int], ...]  # (first, last), both within


def ranges_of(pieces: Iterable[tuple[int, int]]) -> Ranges:
    """The normal form of ranges in any order, which may overlap."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(pieces):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def size(ranges: Ranges) -> int:
    """How many numbers there are."""
    return sum(last - first + 1 for first, last in ranges)


def contains(ranges: Ranges, number: int) -> bool:
    place = bisect_right(ranges, number, key=_first) - 1
    return place >= 0 and number <= ranges[place][1]


def numbers(ranges: Ranges) -> Iterator[int]:
    """Every number, ascending."""
    for first, last in ranges:
        yield from range(first, last + 1)


def union(one: Ranges, other: Ranges) -> Ranges:
    return ranges_of((*one, *other))


def minus(ranges: Ranges, taken: Ranges) -> Ranges:
    """What is in `ranges` and not in `taken`."""
    left: list[tuple[int, int]] = []
    place = 0
    for first, last in ranges:
        while place < len(taken) and taken[place][1] < first:
            place += 1
        start, look = first, place
        while look < len(taken) and taken[look][0] <= last:
            if start < taken[look][0]:
                left.append((start, taken[look][0] - 1))
            start = max(start, taken[look][1] + 1)
            look += 1
        if start <= last:
            left.append((start, last))
    return tuple(left)


def both(one: Ranges, other: Ranges) -> Ranges:
    """What is in each of them."""
    return minus(one, minus(one, other))


def with_one(ranges: Ranges, number: int) -> Ranges:
    """`number` put in, without looking at the ranges that it does not touch."""
    if contains(ranges, number):
        return ranges
    place = bisect_right(ranges, number, key=_first)
    near = ranges_of((*ranges[max(place - 1, 0) : place + 1], (number, number)))
    return (*ranges[: max(place - 1, 0)], *near, *ranges[place + 1 :])


def without_one(ranges: Ranges, number: int) -> Ranges:
    """`number` taken out, without looking at the ranges that do not hold it."""
    place = bisect_right(ranges, number, key=_first) - 1
    if place < 0 or number > ranges[place][1]:
        return ranges
    return (
        *ranges[:place],
        *minus((ranges[place],), ((number, number),)),
        *ranges[place + 1 :],
    )


def lowest(ranges: Ranges, count: int) -> Ranges:
    """The `count` lowest numbers, or all where there are fewer."""
    taken: list[tuple[int, int]] = []
    for first, last in ranges:
        if count <= 0:
            break
        taken.append((first, min(last, first + count - 1)))
        count -= last - first + 1
    return tuple(taken)


def text(ranges: Ranges) -> str:
    """`0-9,12`: as people write it."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def _first(piece: tuple[int, int]) -> int:
    return piece[0]
