"""The order of arrival follows the protocol, and the seed alone."""

from collections import Counter

import numpy as np
import pytest

from gigawatt.twin.arrivals import Work, arrivals_of, work_of
from gigawatt.twin.chance import Chance
from tests.unit.twin.pods import drawn_nodes, drawn_pods


def demand(work: Work, pods: tuple[int, ...]) -> int:
    return sum(work.pods[pod].gpus * work.pods[pod].gpu_milli for pod in pods)


@pytest.mark.parametrize("seed", range(5))
def test_a_short_list_comes_whole_and_grows_to_the_ratio(seed: int) -> None:
    work = work_of(drawn_nodes(seed), drawn_pods(seed, 20))
    arrivals = arrivals_of(work, Chance(seed), 1.3)
    assert sorted(arrivals.pods[:20]) == list(range(20))
    limit = 1.3 * arrivals.cluster.milli
    most = max(pod.gpus for pod in work.pods) * 1000
    assert limit - 1000 < demand(work, arrivals.pods) <= limit + most - 1000


@pytest.mark.parametrize("seed", range(5))
def test_a_long_list_loses_pods_until_it_asks_for_no_more(seed: int) -> None:
    work = work_of(drawn_nodes(seed, 4), drawn_pods(seed, 200))
    arrivals = arrivals_of(work, Chance(seed), 1.3)
    assert max(Counter(arrivals.pods).values()) == 1
    limit = 1.3 * arrivals.cluster.milli
    assert limit - 4000 <= demand(work, arrivals.pods) <= limit


def test_the_order_of_lines_in_the_files_does_not_matter() -> None:
    nodes, pods = drawn_nodes(1), drawn_pods(1)
    one = arrivals_of(work_of(nodes, pods), Chance(7), 1.3)
    other = arrivals_of(work_of(nodes[::-1], pods[::-1]), Chance(7), 1.3)
    assert one.pods == other.pods
    assert one.nodes.tolist() == other.nodes.tolist()


def test_another_seed_gives_another_order_of_pods_and_nodes() -> None:
    work = work_of(drawn_nodes(1), drawn_pods(1))
    one, other = (arrivals_of(work, Chance(seed), 1.3) for seed in (1, 2))
    assert one.pods != other.pods
    assert one.nodes.tolist() != other.nodes.tolist()
    assert sorted(one.nodes.tolist()) == list(range(12))


def test_pods_that_ask_for_the_same_are_one_ask_and_counted() -> None:
    work = work_of(drawn_nodes(1), drawn_pods(1) + drawn_pods(1))
    assert int(work.asks.count_K.sum()) == 160
    assert (work.asks.count_K % 2 == 0).all()
    for pod, ask in zip(work.pods, work.ask_P, strict=True):
        assert pod.cpu_milli == work.asks.cpu_K[ask]
        assert pod.gpus * pod.gpu_milli == work.asks.demand_K[ask]


def test_chance_is_the_same_numbers_forever() -> None:
    chance = Chance(42)
    assert [chance.below(1000) for _ in range(4)] == NUMBERS
    assert Chance(42).shuffled(6).tolist() == ORDER
    assert np.bincount([chance.below(3) for _ in range(3000)]).min() > 900


NUMBERS = [360, 585, 132, 597]
ORDER = [4, 1, 3, 0, 2, 5]
