"""Fragmentation gradient descent: the node and the device whose fragmentation grows least.

Source: Weng et al., USENIX ATC 2023, §5, and its simulator: the change of fragmentation, in GPUs, through a sigmoid and
cut off to a whole number of per cent.
"""

import numpy as np

from gigawatt.scheduler.packing.facts import WHOLE, Node, Scores, Shapes
from gigawatt.scheduler.packing.fragmentation import Fragmentation
from gigawatt.scheduler.packing.outcomes import Rating, best, outcomes


class Fgd:
    """`sigmoid` of the gain, whole per cents; ties go to the order of nodes, and they are many."""

    sees_held = False

    def __init__(self, shapes: Shapes, fragmentation: Fragmentation) -> None:
        self._shapes = shapes
        self._fragmentation = fragmentation

    def rate(self, node: Node) -> Rating:
        after = outcomes(self._shapes, node)
        price_SJ = self._fragmentation(node.model, after.cpu_S[:, None], after.free_SJD)
        return best(after, squashed(price_SJ[0, 0] - price_SJ))


def squashed(gain: Scores) -> Scores:
    """The score for milli-GPUs that are fragments no more."""
    return np.trunc(100 / (1 + np.exp(-gain / WHOLE)))
