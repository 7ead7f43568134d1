"""The policies that FGD was compared with, as its simulator has them (Weng et al., USENIX ATC 2023, §6.2).

Scores are whole numbers from 0 to 100, cut off, as they are for a Kubernetes scheduler: many nodes score equal, and then
the order of nodes decides.
"""

import numpy as np

from gigawatt.scheduler.packing.facts import WHOLE, Node, Scores, Shapes
from gigawatt.scheduler.packing.outcomes import Rating, tightest
from gigawatt.scheduler.snapshot import Amounts, Flags

CPU_MAX = 128_000  # of any node: what free cores and asked cores are related to
MILLI_MAX = 8 * WHOLE

Some = Scores | Amounts | Flags | float  # of nodes or of shapes, or one for all of them


class Random:
    """Any node with room is as good as another, and any of its devices: the caller's chance decides."""

    sees_held = False

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def rate(self, node: Node) -> Rating:
        score_S = np.zeros(len(self._shapes.cpu_S))
        return Rating(score_S=score_S, level_S=tightest(self._shapes, node))


class BestFit:
    """The node that is left with least: half of it cores, half of it GPUs, each over the largest node's.

    Best fit over a weighted sum of resources, as in Protean (Hadary et al., OSDI 2020) and as FGD's authors have it.
    """

    sees_held = False

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def rate(self, node: Node) -> Rating:
        cpu_S = (node.cpu - self._shapes.cpu_S) / CPU_MAX
        gpu_S = (sum(node.free) - self._shapes.demand_S) / MILLI_MAX
        score_S = left_with_least(cpu_S, gpu_S)
        return Rating(score_S=score_S, level_S=tightest(self._shapes, node))


class DotProduct:
    """The node whose free resources are least along the ask's: the smallest dot product.

    Alignment as in Tetris (Grandl et al., SIGCOMM 2014), turned round by FGD's authors: small products fill what is small.
    """

    sees_held = False

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def rate(self, node: Node) -> Rating:
        cpu_S = node.cpu / CPU_MAX * self._shapes.cpu_S / CPU_MAX
        gpu_S = sum(node.free) / MILLI_MAX * self._shapes.demand_S / MILLI_MAX
        score_S = least_along(cpu_S, gpu_S)
        return Rating(score_S=score_S, level_S=tightest(self._shapes, node))


class GpuPacking:
    """A shared GPU first, then an idle GPU of a node in use, then an idle node.

    After MLaaS in the Wild (Weng et al., NSDI 2022, §6), which packs so as to keep whole nodes for those who need them.
    """

    sees_held = False

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def rate(self, node: Node) -> Rating:
        shapes = self._shapes
        idle = node.free.count(WHOLE)
        level_S = tightest(shapes, node)
        empty = idle == len(node.free)
        score_S = shared_first(
            idle, empty=empty, part=shapes.part_S, gpus=shapes.gpus_S, level=level_S
        )
        return Rating(score_S=score_S, level_S=level_S)


class GpuClustering:
    """A node that holds asks of the same size alone, then one that holds some, then an empty one, then any other.

    Sizes are a part of a GPU, one GPU, two and so on: Gandiva's affinity (Xiao et al., OSDI 2018, §3.2).
    """

    sees_held = True

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def rate(self, node: Node) -> Rating:
        shapes = self._shapes
        same_S = np.zeros(len(shapes.cpu_S), dtype=np.bool_)
        for size in node.held:
            same_S |= _sized(shapes, size)
        used = MILLI_MAX - sum(node.free)
        score_S = alike_first(
            25 * used // MILLI_MAX, same=same_S, sizes=len(node.held), gpus=shapes.gpus_S
        )
        return Rating(score_S=score_S, level_S=tightest(shapes, node))


def left_with_least(cpu: Some, gpu: Some) -> Scores:
    """Best fit: what would be left free of each, as a part of the largest node's."""
    return np.trunc((1 - cpu / 2 - gpu / 2) * 100)


def least_along(cpu: Some, gpu: Some) -> Scores:
    """The dot product: what is free times what is asked, both as parts of the largest node's."""
    return np.trunc((1 - (cpu + gpu) / 2) * 100)


def shared_first(idle: Some, *, empty: Some, part: Some, gpus: Some, level: Some) -> Scores:
    """GPU packing: `idle` GPUs of a node, all of them where it is `empty`; `level` is free on the GPU for a part."""
    shared = np.maximum(100 - level * 100 // WHOLE // 10, 50)
    fresh = np.maximum(50 - gpus, 33)
    used = np.where((np.asarray(part) > 0) & (np.asarray(level) < WHOLE), shared, fresh)
    score = np.where(empty, np.maximum(33 - idle, idle), used)
    return np.where(np.asarray(gpus) == 0, 0, score).astype(np.float64)


def alike_first(full: Some, *, same: Some, sizes: Some, gpus: Some) -> Scores:
    """GPU clustering: how `full` a node is, of 25; how many sizes it holds, and whether one is the `same`."""
    tier = np.where(same, np.where(np.equal(sizes, 1), 75, 50), np.where(np.equal(sizes, 0), 25, 0))
    return np.where(np.asarray(gpus) == 0, 0.0, full + tier)


def size_of(gpus: int, milli: int) -> int:
    """0 for a part of a GPU, else how many whole ones."""
    return gpus if milli == WHOLE else 0


def _sized(shapes: Shapes, size: int) -> Flags:
    return (shapes.part_S > 0) if size == 0 else (shapes.whole_S == size)
