"""Nodes fill up; what is turned away fits nowhere, and what is placed fits."""

import numpy as np
import pytest

from gigawatt.scheduler.packing import names
from gigawatt.scheduler.packing.facts import WHOLE, Asks, Cluster
from gigawatt.scheduler.packing.fill import ASKS_MAX, Fill, Placed
from gigawatt.scheduler.packing.policies import policy_of
from tests.unit.scheduler.packing.samples import (
    a_cluster,
    drawn_asks,
    drawn_cluster,
    some_asks,
)


class Plain:
    """Every node and device as lists of what is left: slow, and easy to believe."""

    def __init__(self, cluster: Cluster) -> None:
        self.models: list[int] = cluster.model_N.tolist()
        self.cpu: list[int] = cluster.cpu_N.tolist()
        self.memory: list[int] = cluster.memory_N.tolist()
        gpus: list[int] = cluster.gpus_N.tolist()
        self.free = [[WHOLE] * count for count in gpus]

    def fits(self, asks: Asks, ask: int) -> bool:
        for node, model in enumerate(self.models):
            able = asks.gpus_K[ask] == 0 or asks.allowed_KM[ask, model]
            room = sum(free >= asks.milli_K[ask] for free in self.free[node]) >= asks.gpus_K[ask]
            enough = self.cpu[node] >= asks.cpu_K[ask] and self.memory[node] >= asks.memory_K[ask]
            if able and room and enough:
                return True
        return False

    def take(self, asks: Asks, ask: int, placed: Placed) -> None:
        node = placed.node
        assert len(set(placed.devices)) == len(placed.devices) == asks.gpus_K[ask]
        assert not placed.devices or asks.allowed_KM[ask, self.models[node]]
        self.cpu[node] -= int(asks.cpu_K[ask])
        self.memory[node] -= int(asks.memory_K[ask])
        for device in placed.devices:
            self.free[node][device] -= int(asks.milli_K[ask])
        assert min(self.cpu[node], self.memory[node], *self.free[node]) >= 0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", names.POLICIES)
def test_what_fits_anywhere_is_placed_where_it_fits_and_nothing_else_is(
    name: str, seed: int
) -> None:
    cluster, asks = drawn_cluster(seed), drawn_asks(seed)
    draw = np.random.default_rng(seed)

    def below(bound: int) -> int:
        return int(draw.integers(bound))

    chance = below if name == names.RANDOM else None
    fill = Fill(cluster, asks, policy_of(name, cluster, asks), chance=chance)
    plain = Plain(cluster)
    for ask in draw.integers(0, len(asks.cpu_K), 150).tolist():
        fits = plain.fits(asks, ask)
        placed = fill.place(ask)
        assert (placed is not None) == fits
        if placed is not None:
            plain.take(asks, ask, placed)


@pytest.mark.parametrize("name", [name for name in names.POLICIES if name != names.RANDOM])
def test_of_equal_nodes_the_first_is_taken_and_of_equal_devices_too(name: str) -> None:
    cluster = a_cluster(*[(64_000, 64, 4, "A")] * 3)
    asks = some_asks((1000, 1, 1, 500), (1000, 1, 2, WHOLE))
    fill = Fill(cluster, asks, policy_of(name, cluster, asks))
    assert fill.place(0) == Placed(node=0, devices=(0,))
    whole = fill.place(1)
    assert whole is not None
    assert whole.devices == ((1, 2) if whole.node == 0 else (0, 1))


def test_a_node_takes_no_more_than_so_many_asks() -> None:
    cluster = a_cluster((10**7, 10**7, 1, "A"))
    asks = some_asks((1, 1, 0, 0))
    fill = Fill(cluster, asks, policy_of(names.BEST_FIT, cluster, asks))
    placed = [fill.place(0) is not None for _ in range(ASKS_MAX + 1)]
    assert placed == [True] * ASKS_MAX + [False]
