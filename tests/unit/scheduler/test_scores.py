"""Estimates are put right by how past ones came true, and scored."""

import pytest

from gigawatt.model.calibration import Calibration
from gigawatt.scheduler.scores import NO_SCORE, Scores, pinball
from gigawatt.store.codec import decode, encode

HOUR_MS = 3_600_000


def many(scores: Scores, factor: float, *, moments: int = 60, late: float = 0.0) -> int:
    """Plays say an hour, and it takes `factor` times that; one of ten takes `late` hours more. The time after them."""
    at_ms = 0
    for moment in range(moments):
        at_ms += 10 * HOUR_MS
        gang = f"g-{moment}"
        scores.tell({gang: HOUR_MS}, now_ms=at_ms)
        more = late * HOUR_MS if moment % 10 == 9 else 0
        scores.started(gang, at_ms + round(factor * HOUR_MS + more))
    return at_ms + 10 * HOUR_MS


def test_nothing_was_scored_yet() -> None:
    assert Scores().score() == NO_SCORE


def test_what_is_always_twice_as_long_is_foretold_so() -> None:
    scores = Scores()
    now_ms = many(scores, 2.0)
    estimate = scores.estimate(HOUR_MS, now_ms=now_ms)
    assert estimate.p50_ms - now_ms == pytest.approx(2 * HOUR_MS, rel=0.05)
    assert estimate.p90_ms - now_ms == pytest.approx(2 * HOUR_MS, rel=0.05)


def test_one_late_start_of_ten_moves_p90_and_not_p50() -> None:
    scores = Scores()
    now_ms = many(scores, 1.0, late=4.0)
    estimate = scores.estimate(HOUR_MS, now_ms=now_ms)
    assert estimate.p50_ms - now_ms == pytest.approx(HOUR_MS, rel=0.05)
    assert estimate.p90_ms - now_ms > 1.5 * HOUR_MS


def test_what_still_waits_counts_as_late() -> None:
    scores = Scores()
    now_ms = many(scores, 1.0, moments=20)
    before = scores.estimate(HOUR_MS, now_ms=now_ms)
    for number in range(20):
        scores.tell({f"late-{number}": HOUR_MS}, now_ms=now_ms + number * HOUR_MS)
    later_ms = now_ms + 50 * HOUR_MS
    after = scores.estimate(HOUR_MS, now_ms=later_ms)
    assert after.p90_ms - later_ms > before.p90_ms - now_ms


def test_moments_that_are_close_to_each_other_are_learned_from_once() -> None:
    scores = Scores()
    now_ms = many(scores, 1.0)
    for number in range(200):
        scores.tell({f"slow-{number}": HOUR_MS}, now_ms=now_ms + number)
    estimate = scores.estimate(HOUR_MS, now_ms=now_ms + 1000)
    assert estimate.p50_ms - now_ms == pytest.approx(HOUR_MS, rel=0.05)


def test_what_was_kept_is_gone_on_from() -> None:
    scores = Scores()
    now_ms = many(scores, 2.0, late=4.0)
    scores.tell({"awaited": HOUR_MS}, now_ms=now_ms)
    kept = scores.kept(now_ms=now_ms + HOUR_MS)
    after = Scores.of(decode(Calibration, encode(kept)))
    now_ms += HOUR_MS
    for ahead_ms in (0, HOUR_MS, 20 * HOUR_MS):
        assert after.estimate(ahead_ms, now_ms=now_ms) == scores.estimate(ahead_ms, now_ms=now_ms)
    assert after.score() == scores.score()
    assert after.kept(now_ms=now_ms) == kept


def test_what_is_kept_has_a_bound() -> None:
    scores, now_ms = Scores(), 0
    for moment in range(400):
        now_ms += HOUR_MS
        told = {f"g-{moment}-{number}": number * HOUR_MS // 8 for number in range(300)}
        scores.tell(told, now_ms=now_ms)
        for gang in list(told)[:100]:
            scores.started(gang, now_ms + HOUR_MS)
    assert len(encode(scores.kept(now_ms=now_ms))) < 250_000


def test_a_start_that_is_for_sure_comes_after_p90() -> None:
    scores = Scores()
    now_ms = many(scores, 1.0, late=4.0)
    p90_ms = scores.estimate(HOUR_MS, now_ms=now_ms).p90_ms
    assert scores.surely_ms(HOUR_MS, now_ms=now_ms) >= p90_ms


def test_the_first_that_was_told_is_the_one_that_is_scored() -> None:
    scores = Scores()
    first = scores.tell({"g": HOUR_MS}, now_ms=0)["g"]
    scores.tell({"g": 5 * HOUR_MS}, now_ms=60_000)
    scores.started("g", first.p50_ms + 1)
    score = scores.score()
    assert (score.count, score.coverage_p50, score.coverage_p90) == (1, 0.0, 1.0)


def test_what_left_the_line_is_not_scored() -> None:
    scores = Scores()
    scores.tell({"g": HOUR_MS}, now_ms=0)
    scores.left("g", 1)
    scores.started("g", 2)
    assert scores.score() == NO_SCORE


def test_pinball_is_dearer_on_the_side_that_the_quantile_should_not_be_passed() -> None:
    assert (pinball(10, 0.9), pinball(-10, 0.9)) == (9.0, pytest.approx(1.0))
