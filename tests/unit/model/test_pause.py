"""After failures of the infrastructure in a row a gang may run again only after a pause, and longer each time."""

import pytest

from gigawatt.model.attempt import Attempt, AttemptPhase, Verdict
from gigawatt.model.gang import Window
from gigawatt.model.job import LASTED_MS, PAUSE_MAX_MS, PAUSE_MS, after_pause, pause_ms

ENDED_MS = 10 * LASTED_MS


def attempts(
    *verdicts: Verdict, ran_ms: int = 1, first_step_ms: int | None = None
) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(
            n=n,
            phase=AttemptPhase.ENDED,
            nodes=(),
            ranks=(),
            epoch=1,
            placed_ms=0,
            running_ms=ENDED_MS - ran_ms,
            ended_ms=ENDED_MS,
            first_step_ms=first_step_ms,
            verdict=verdict,
        )
        for n, verdict in enumerate(verdicts, 1)
    )


def failed(count: int) -> tuple[Attempt, ...]:
    return attempts(*[Verdict.INFRASTRUCTURE] * count)


def test_each_failure_in_a_row_doubles_the_pause_up_to_a_limit() -> None:
    assert [pause_ms(failed(count)) for count in range(5)] == [
        0,
        0,
        PAUSE_MS,
        2 * PAUSE_MS,
        4 * PAUSE_MS,
    ]
    assert pause_ms(failed(40)) == PAUSE_MAX_MS


@pytest.mark.parametrize("verdict", [each for each in Verdict if each != Verdict.INFRASTRUCTURE])
def test_what_ended_otherwise_in_between_begins_anew(verdict: Verdict) -> None:
    infrastructure = Verdict.INFRASTRUCTURE
    assert pause_ms(attempts(infrastructure, infrastructure, verdict)) == 0
    assert pause_ms(attempts(infrastructure, infrastructure, verdict, infrastructure)) == 0


def test_what_got_somewhere_is_no_failure_in_a_row() -> None:
    assert pause_ms(attempts(*[Verdict.INFRASTRUCTURE] * 3, first_step_ms=ENDED_MS)) == 0
    assert pause_ms(attempts(*[Verdict.INFRASTRUCTURE] * 3, ran_ms=LASTED_MS)) == 0


def test_a_pause_narrows_the_windows_and_never_opens_any() -> None:
    again_ms = ENDED_MS + PAUSE_MS
    own = (Window(start_ms=0, end_ms=again_ms), Window(start_ms=0, end_ms=again_ms + 1))
    assert after_pause((), failed(2)) == (Window(start_ms=again_ms),)
    assert after_pause(own, failed(2)) == (Window(start_ms=again_ms, end_ms=again_ms + 1),)
    assert after_pause(own[:1], failed(2)) == own[:1]
    assert after_pause(own, failed(1)) == own
    assert after_pause((), failed(1)) == ()
