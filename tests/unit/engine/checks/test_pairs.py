"""Links between machines: who meets whom, and which link is slower than the others."""

from itertools import combinations

import pytest

from gigawatt.engine.checks.pairs import judge, rounds
from gigawatt.engine.checks.said import FAIL, OK, WARN

NAMES = ["n0", "n1", "n2", "n3"]


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 7, 8, 16])
def test_each_meets_each_once_and_nobody_twice_in_a_round(ranks: int) -> None:
    found = rounds(ranks)
    assert sorted(pair for pairs in found for pair in pairs) == list(combinations(range(ranks), 2))
    for pairs in found:
        met = [rank for pair in pairs for rank in pair]
        assert len(met) == len(set(met))


@pytest.mark.parametrize(("rate", "outcome"), [(9e9, OK), (4e9, WARN), (0.5e9, FAIL)])
def test_a_link_is_judged_against_the_median(rate: float, outcome: str) -> None:
    rates = dict.fromkeys(combinations(range(4), 2), 10e9) | {(1, 3): rate}
    said = judge(rates, NAMES)
    assert said.outcome == outcome
    assert outcome == OK or "between n1 and n3" in said.detail
