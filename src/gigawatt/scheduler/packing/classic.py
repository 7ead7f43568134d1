"""The policies that FGD was compared with, as its simulator has them (Weng et al., USENIX ATC 2023, §6.2).

Scores are whole numbers from 0 to 100, cut off, as they are for a Kubernetes scheduler: many nodes score equal, and then
the order of nodes decides.
"""

import numpy as np

from gigawatt.scheduler.packing.facts import WHOLE, Node, Shapes
from gigawatt.scheduler.packing.outcomes import Rating, tightest
from gigawatt.scheduler.snapshot import Flags

CPU_MAX = 128_000  # of any node: what free cores and asked cores are related to
MILLI_MAX = 8 * WHOLE


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
        score_S = np.trunc((1 - cpu_S / 2 - gpu_S / 2) * 100)
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
        score_S = np.trunc((1 - (cpu_S + gpu_S) / 2) * 100)
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
        if idle == len(node.free):
            score_S = np.full(len(level_S), max(33 - idle, idle))
        else:
            shared_S = np.maximum(100 - level_S * 100 // WHOLE // 10, 50)
            fresh_S = np.maximum(50 - shapes.gpus_S, 33)
            score_S = np.where((shapes.part_S > 0) & (level_S < WHOLE), shared_S, fresh_S)
        score_S = np.where(shapes.gpus_S == 0, 0, score_S).astype(np.float64)
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
        fullness = 25 * (MILLI_MAX - sum(node.free)) // MILLI_MAX
        score_S = np.full(len(shapes.cpu_S), float(fullness if node.held else fullness + 25))
        for size in node.held:
            score_S[_sized(shapes, size)] = fullness + (75 if len(node.held) == 1 else 50)
        score_S[shapes.gpus_S == 0] = 0
        return Rating(score_S=score_S, level_S=tightest(shapes, node))


def size_of(gpus: int, milli: int) -> int:
    """0 for a part of a GPU, else how many whole ones."""
    return gpus if milli == WHOLE else 0


def _sized(shapes: Shapes, size: int) -> Flags:
    return (shapes.part_S > 0) if size == 0 else (shapes.whole_S == size)
