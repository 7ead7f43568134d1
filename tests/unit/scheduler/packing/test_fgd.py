"""Fragmentation gradient descent takes the place that fragments least."""

from gigawatt.scheduler.packing.facts import WHOLE, shapes_of
from gigawatt.scheduler.packing.fgd import Fgd
from gigawatt.scheduler.packing.fragmentation import Fragmentation
from gigawatt.scheduler.packing.prior import typical
from tests.unit.scheduler.packing.samples import a_node, some_asks

ASKS = some_asks((1000, 1, 1, 400), (1000, 1, 1, 600))
POLICY = Fgd(shapes_of(ASKS), Fragmentation(typical(ASKS), devices_max=8))


def test_what_fills_a_device_scores_best_and_takes_it() -> None:
    rating = POLICY.rate(a_node(9000, 500, WHOLE))
    # 500 milli are a fragment for half of the asks: 250. With 400 of them taken, 100 are for all of them; with 600 of
    # the other device taken, 900 are for half. The gains of 150 and -200 of 1000 go through a sigmoid.
    assert rating.score_S[1:].tolist() == [53, 45]
    assert rating.level_S[1:].tolist() == [500, WHOLE]


def test_scores_are_whole_per_cents() -> None:
    score_S = POLICY.rate(a_node(9000, 700, 300)).score_S
    assert score_S.tolist() == [int(score) for score in score_S]
