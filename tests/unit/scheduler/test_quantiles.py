"""What is said for P50 and P90 moves until it covers what it claims."""

import random

import pytest

from gigawatt.scheduler.quantiles import LEAST, MOST, Quantiles


def covered(quantiles: Quantiles, *, bent: float, tries: int = 20_000) -> tuple[float, float]:
    """Parts that were covered, where a start comes within a part `u ** bent` of what was seen, u being even."""
    drawn, half, most = random.Random(7), 0, 0
    for _ in range(tries):
        part = drawn.random() ** bent
        came = part <= quantiles.said[0], part <= quantiles.said[1]
        quantiles.learn(came, alike=1)
        half += came[0]
        most += came[1]
    return half / tries, most / tries


@pytest.mark.parametrize("bent", [0.5, 1.0, 1.4])
def test_what_is_off_in_one_way_is_put_right(bent: float) -> None:
    half, most = covered(Quantiles(), bent=bent)
    assert half == pytest.approx(0.5, abs=0.02)
    assert most == pytest.approx(0.9, abs=0.02)


def test_those_of_one_moment_move_it_less_than_as_many_moments() -> None:
    together, apart = Quantiles(), Quantiles()
    for _ in range(4):
        together.learn((True, True), alike=4)
        apart.learn((True, True), alike=1)
    assert apart.said[0] < together.said[0] < 0.5


def test_it_never_leaves_its_bounds() -> None:
    quantiles = Quantiles()
    for covers, bound in ((True, LEAST), (False, MOST)):
        for _ in range(1_000):
            quantiles.learn((covers, covers), alike=1)
        assert quantiles.said == bound
