"""What leaves a job's record of checkpoints, and what stays of the work that it held."""

import pytest

from gigawatt.model.checkpoint import Checkpoint, Kept
from gigawatt.reconcile.retention import without, without_oldest


def a_record(step: int, *kept_ms: int) -> Checkpoint:
    kept = tuple(Kept(attempt=attempt, ms=ms) for attempt, ms in enumerate(kept_ms, 1) if ms)
    return Checkpoint(step=step, path=f"step-{step}", at_ms=step, attempt=len(kept_ms), kept=kept)


RECORDS = (a_record(1, 5), a_record(2), a_record(3, 7, 2), a_record(4, 0, 3), a_record(5, 1))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_oldest_leave_as_any_would(count: int) -> None:
    gone = frozenset(each.path for each in RECORDS[:count])
    assert without_oldest(RECORDS, count) == without(RECORDS, gone)


def test_the_work_of_the_oldest_is_the_next_ones() -> None:
    assert without_oldest(RECORDS, 3)[0].kept == (
        Kept(attempt=1, ms=12),
        Kept(attempt=2, ms=5),
    )
