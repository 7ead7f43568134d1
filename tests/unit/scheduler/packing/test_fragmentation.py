"""The tables give what the definition gives."""

import numpy as np
import pytest

from gigawatt.scheduler.packing.facts import WHOLE, Node
from gigawatt.scheduler.packing.fragmentation import Fragmentation
from gigawatt.scheduler.packing.prior import Typical, typical
from tests.unit.scheduler.packing.samples import a_node, drawn_asks, some_asks


def by_definition(prior: Typical, node: Node) -> float:
    total = 0.0
    for t, share in enumerate(prior.share_T):
        gpus, milli = prior.gpus_T[t], prior.milli_T[t]
        fitting = [free for free in node.free if free >= milli]
        able = gpus > 0 and prior.allowed_TM[t, node.model] and prior.cpu_T[t] <= node.cpu
        usable = sum(fitting) if able and len(fitting) >= gpus else 0
        total += share * (sum(node.free) - usable)
    return total


def of(prior: Typical, node: Node) -> float:
    fragmentation = Fragmentation(prior, devices_max=8)
    return float(fragmentation(node.model, np.array(node.cpu), node.free_D))


@pytest.mark.parametrize("seed", range(20))
def test_it_is_what_each_typical_ask_could_not_use(seed: int) -> None:
    draw = np.random.default_rng(seed)
    prior = typical(drawn_asks(seed), 0.9)
    for _ in range(20):
        free = draw.choice([0, 50, 300, 650, WHOLE, WHOLE], draw.choice([1, 2, 4, 8])).tolist()
        node = a_node(int(draw.integers(0, 15) * 1000), *free, model=int(draw.integers(2)))
        assert of(prior, node) == pytest.approx(by_definition(prior, node))


def test_a_device_that_is_too_full_for_half_of_the_asks_is_half_a_fragment() -> None:
    prior = typical(some_asks((1000, 1, 1, 800), (1000, 1, 1, 300)))
    assert of(prior, a_node(8000, 500)) == pytest.approx(250)
    assert of(prior, a_node(8000, 500, WHOLE)) == pytest.approx(250)
    assert of(prior, a_node(500, 500, WHOLE)) == pytest.approx(1500)


def test_what_asks_for_no_gpu_uses_none() -> None:
    prior = typical(some_asks((1000, 1, 0, 0), (1000, 1, 1, WHOLE), counts=(1, 3)))
    assert of(prior, a_node(8000, WHOLE)) == pytest.approx(250)


def test_asks_for_several_gpus_may_weigh_more_than_their_share() -> None:
    prior = typical(some_asks((1000, 1, 2, WHOLE), (1000, 1, 1, 500)))
    node = a_node(8000, WHOLE, 200)
    one, three = (
        float(Fragmentation(prior, devices_max=8, several=weight)(0, np.array(8000), node.free_D))
        for weight in (1.0, 3.0)
    )
    assert one == pytest.approx((1200 + 200) / 2)
    assert three == pytest.approx((3 * 1200 + 200) / 2)
