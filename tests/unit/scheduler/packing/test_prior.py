"""What is typical, what an ask for a GPU wants of cores, and which models are scarce."""

import numpy as np
import pytest

from gigawatt.scheduler.packing.facts import WHOLE
from gigawatt.scheduler.packing.prior import cpu_for_a_gpu, scarcity, typical
from tests.unit.scheduler.packing.samples import ANY, a_cluster, some_asks

ONLY_A, ONLY_B = (True, False), (False, True)


def test_the_most_frequent_asks_that_cover_enough_are_typical() -> None:
    asks = some_asks(
        (1000, 1, 1, 200),
        (2000, 1, 1, 300),
        (3000, 1, 1, 400),
        (4000, 1, 1, 500),
        counts=(5, 60, 30, 5),
    )
    prior = typical(asks, 0.95)
    assert prior.milli_T.tolist() == [300, 400, 500]
    assert prior.share_T == pytest.approx(np.array([60, 30, 5]) / 95)


def test_asks_that_differ_in_memory_alone_are_one() -> None:
    prior = typical(some_asks((1000, 1, 1, 200), (1000, 7, 1, 200), (1000, 1, 1, 300)), 1.0)
    assert prior.milli_T.tolist() == [200, 300]
    assert prior.share_T == pytest.approx(np.array([2, 1]) / 3)


def test_cores_for_a_gpu_leave_out_asks_without_gpus() -> None:
    asks = some_asks((8000, 1, 1, 500), (4000, 1, 2, WHOLE), (99000, 1, 0, 0), counts=(2, 1, 5))
    assert cpu_for_a_gpu(asks) == pytest.approx((2 * 8000 + 4000) / 3)
    assert cpu_for_a_gpu(some_asks((8000, 1, 0, 0))) == 0


def test_a_model_is_scarce_by_the_demand_that_insists_on_it() -> None:
    cluster = a_cluster((8000, 8, 4, "A"), (8000, 8, 4, "B"))
    half = some_asks((1, 1, 1, WHOLE), (1, 1, 1, WHOLE), allowed=(ONLY_A, ANY))
    assert scarcity(cluster, half) == pytest.approx([1, 0])
    skewed = some_asks((1, 1, 1, WHOLE), (1, 1, 1, WHOLE), allowed=(ONLY_A, ONLY_B), counts=(3, 1))
    assert scarcity(cluster, skewed) == pytest.approx([1.5, 0.5])


def test_no_model_is_scarce_where_nothing_insists_on_one_that_is_there() -> None:
    only_a = a_cluster((8000, 8, 4, "A"), (8000, 8, 2, "A"))
    assert scarcity(only_a, some_asks((1, 1, 1, WHOLE), allowed=(ONLY_A,))).tolist() == [0, 0]
    both = a_cluster((8000, 8, 4, "A"), (8000, 8, 2, "B"))
    assert scarcity(both, some_asks((1, 1, 1, WHOLE))).tolist() == [0, 0]
