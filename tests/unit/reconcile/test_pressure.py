"""The levels of a disk: reached at a mark, left only well above it."""

import pytest

from gigawatt.reconcile.pressure import Level, Marks, level

MARKS = Marks(soft_bytes=100, hard_bytes=40)
TOTAL = 10_000


@pytest.mark.parametrize(
    ("before", "free", "after"),
    [
        (Level.WELL, 100, Level.WELL),
        (Level.WELL, 99, Level.SOFT),
        (Level.WELL, 39, Level.HARD),
        (Level.SOFT, 124, Level.SOFT),
        (Level.SOFT, 125, Level.WELL),
        (Level.SOFT, 40, Level.SOFT),
        (Level.HARD, 49, Level.HARD),
        (Level.HARD, 50, Level.SOFT),
        (Level.HARD, 125, Level.WELL),
    ],
)
def test_a_level_is_left_with_a_quarter_more_than_where_it_begins(
    before: Level, free: int, after: Level
) -> None:
    assert level(before, MARKS, free_bytes=free, total_bytes=TOTAL) is after


def test_on_a_small_disk_the_marks_are_parts_of_it() -> None:
    assert level(Level.WELL, MARKS, free_bytes=20, total_bytes=200) is Level.WELL
    assert level(Level.WELL, MARKS, free_bytes=19, total_bytes=200) is Level.SOFT
    assert level(Level.WELL, MARKS, free_bytes=9, total_bytes=200) is Level.HARD


def test_marks_of_nothing_switch_it_off() -> None:
    off = Marks(soft_bytes=0, hard_bytes=0)
    assert level(Level.WELL, off, free_bytes=0, total_bytes=TOTAL) is Level.WELL
