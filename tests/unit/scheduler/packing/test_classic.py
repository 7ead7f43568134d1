"""The scores of the policies that others published, on nodes made by hand."""

import pytest

from gigawatt.scheduler.packing.classic import BestFit, DotProduct, GpuClustering, GpuPacking
from gigawatt.scheduler.packing.facts import WHOLE, Node, shapes_of
from gigawatt.scheduler.packing.policy import Policy
from tests.unit.scheduler.packing.samples import a_node, some_asks

ASKS = some_asks((0, 1, 0, 0), (16_000, 1, 1, 500), (32_000, 1, 2, WHOLE))
SHAPES = shapes_of(ASKS)  # nothing, and then in this order


def scores(policy: Policy, node: Node) -> list[float]:
    return policy.rate(node).score_S[1:].tolist()


def test_best_fit_scores_what_is_left_of_cores_and_gpus() -> None:
    # Left: nothing of 64 cores; 1.5 GPUs of 8 and 48 of 128 cores; 0 GPUs and 32 cores.
    assert scores(BestFit(SHAPES), a_node(64_000, WHOLE, WHOLE)) == [62, 71, 87]


def test_dot_product_prefers_little_free_along_what_is_asked() -> None:
    node = a_node(64_000, *[WHOLE] * 4)
    assert scores(DotProduct(SHAPES), node) == [100, 95, 87]


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        ((WHOLE, WHOLE), [0, 31, 31]),  # idle
        ((WHOLE, WHOLE, 100), [0, 49, 48]),  # in use; a fresh device is needed
        ((WHOLE, WHOLE, 600), [0, 94, 48]),  # a shared device will do
    ],
)
def test_gpu_packing_prefers_shared_gpus_then_used_nodes(
    free: tuple[int, ...], expected: list[float]
) -> None:
    assert scores(GpuPacking(SHAPES), a_node(64_000, *free)) == expected


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (frozenset[int](), [0, 37, 37]),
        (frozenset({0}), [0, 87, 12]),
        (frozenset({0, 1}), [0, 62, 12]),
        (frozenset({2}), [0, 12, 87]),
    ],
)
def test_gpu_clustering_prefers_nodes_with_its_own_kind(
    held: frozenset[int], expected: list[float]
) -> None:
    node = a_node(64_000, WHOLE, WHOLE, WHOLE, WHOLE, held=held)
    assert scores(GpuClustering(SHAPES), node) == expected
