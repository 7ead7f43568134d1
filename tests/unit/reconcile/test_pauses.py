"""A gang that the infrastructure fails again and again is not thrown at it again and again."""

from gigawatt.model.job import PAUSE_MS, JobPhase
from tests.unit.reconcile.test_checkpoints import first, running


def test_the_second_failure_in_a_row_is_followed_by_a_pause_that_a_timer_ends() -> None:
    loop = running()
    loop.machines.exit(first(), 0, signal=9)
    loop.step()
    assert loop.job().phase is JobPhase.RUNNING
    loop.machines.exit(first(attempt=2), 0, signal=9)
    loop.step()
    assert loop.job().phase is JobPhase.QUEUED
    loop.later(PAUSE_MS - 1)
    loop.step()
    assert loop.job().phase is JobPhase.QUEUED
    loop.later(1)
    loop.step()
    assert (loop.job().phase, len(loop.job().attempts)) == (JobPhase.RUNNING, 3)
