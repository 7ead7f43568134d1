"""The prices of least waste, one by one."""

import pytest

from gigawatt.scheduler.packing.facts import WHOLE, shapes_of
from gigawatt.scheduler.packing.waste import LeastWaste, remainder
from tests.unit.scheduler.packing.samples import ANY, a_cluster, a_node, some_asks

CLUSTER = a_cluster((64_000, 64, 4, "A"), (64_000, 64, 4, "B"))


def test_a_remainder_is_all_that_is_free_before_any_ask_and_less_with_more() -> None:
    asks = some_asks((1000, 1, 1, 300), (1000, 1, 1, 500))
    assert remainder(asks, 0).tolist() == list(range(WHOLE + 1))
    once = remainder(asks, 1)
    assert once[[200, 400, 800]] == pytest.approx([200, (100 + 400) / 2, (500 + 300) / 2])
    later = remainder(asks, 50)
    assert (later <= once).all()
    assert later[[0, 300, 500, 800]] == pytest.approx([0, 0, 0, 0], abs=0.1)
    assert later[[200, 400, 900]] == pytest.approx([200, 100, 0], abs=0.1)


def test_asks_for_no_gpu_and_for_several_fill_no_remainder() -> None:
    asks = some_asks((1000, 1, 0, 0), (1000, 1, 2, WHOLE))
    assert remainder(asks).tolist() == list(range(WHOLE + 1))


def test_cores_are_taken_from_where_they_are_spare() -> None:
    asks = some_asks((8000, 1, 1, WHOLE), (4000, 1, 0, 0), counts=(9, 1))
    policy = LeastWaste(CLUSTER, asks, shapes_of(asks))
    short, spare = a_node(8000, WHOLE), a_node(40_000, WHOLE)
    no_gpu = 1  # the row of the shape without GPUs: it wants fewer cores
    assert policy.rate(short).score_S[no_gpu] < policy.rate(spare).score_S[no_gpu]


def test_a_scarce_model_is_left_to_those_who_insist_on_it() -> None:
    asks = some_asks(
        (1000, 1, 1, WHOLE), (1000, 2, 1, WHOLE), allowed=(ANY, (True, False)), counts=(1, 1)
    )
    policy = LeastWaste(CLUSTER, asks, shapes_of(asks))
    on_a, on_b = (policy.rate(a_node(9000, WHOLE, model=model)).score_S[1] for model in (0, 1))
    assert on_a < on_b


def test_it_works_without_any_prior_of_gpus() -> None:
    asks = some_asks((1000, 1, 0, 0))
    assert LeastWaste(CLUSTER, asks, shapes_of(asks)).rate(a_node(9000, WHOLE)).score_S[1] == 0
