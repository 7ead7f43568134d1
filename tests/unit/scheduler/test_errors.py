"""Factors by which estimates were off: by user and by how far ahead, a moment as one."""

import math

import pytest

from gigawatt.scheduler.errors import Errors
from gigawatt.scheduler.told import Estimate, Told

HOUR_MS = 3_600_000


def told(at_ms: int, who: str, *, factor: float) -> Told:
    """An hour was said, and it took `factor` times that."""
    estimate = Estimate(p50_ms=at_ms, p90_ms=at_ms)
    each = Told(at_ms=at_ms, ahead_ms=HOUR_MS, estimate=estimate, who=who)
    each.started_ms = at_ms + round(factor * HOUR_MS)
    return each


def said(errors: Errors, who: str) -> float:
    return math.exp(errors.spread(0, who).quantile(0.5))


def test_of_whom_plays_are_always_wrong_is_told_apart() -> None:
    moments = [[told(at, "ann", factor=4.0), told(at, "bob", factor=1.0)] for at in range(1, 40)]
    errors = Errors([moments], 100 * HOUR_MS)
    assert said(errors, "ann") == pytest.approx(4.0, rel=0.1)
    assert said(errors, "bob") == pytest.approx(1.0, rel=0.1)


def test_of_whom_nothing_is_known_gets_what_all_have() -> None:
    moments = [[told(at, "ann", factor=4.0)] for at in range(1, 40)]
    assert said(Errors([moments], 100 * HOUR_MS), "new") == pytest.approx(4.0, rel=0.1)


def test_a_burst_weighs_as_one_moment() -> None:
    burst = [told(1, "ann", factor=9.0) for _ in range(16)]
    moments = [[told(at, "bob", factor=1.0)] for at in range(2, 10)]
    assert said(Errors([[burst, *moments]], 100 * HOUR_MS), "new") < 1.5


def test_without_a_past_it_starts_about_when_plays_say() -> None:
    assert said(Errors([[]], 0), "ann") == pytest.approx(1.0, rel=0.15)
