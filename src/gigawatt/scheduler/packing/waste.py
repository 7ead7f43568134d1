"""Least waste: the node and the device where a placement strands the least, in one currency, milli-GPUs.

Three things strand GPUs, and each has a price that depends on the node alone:

- fragments: FGD's measure (`fragmentation`), in which asks for several GPUs count for more than their share;
- cores: GPUs that will stand idle for lack of cores, `max(0, T - 1000 C / c)` for T milli-GPUs and C milli-cores free, if
  what comes wants c milli-cores for a GPU; the mean for several c around that of the average ask, because what comes to
  one node is few asks and not average;
- remainders: what will be left of each device if it can take the best of the asks to come (`remainder`).

The score is what the price falls by, in floating point and neither squashed nor cut off, less a charge for a scarce
model: where asks insist on models, GPUs that others could do without are left to them (`prior.scarcity`). The order of
nodes decides ties only, and there are few.

A remainder is worked out by dynamic programming. A device with g milli free sees asks for one GPU come, drawn as they
stand in the list of work. It may take or leave each, because another node will take what this one leaves: after h more
asks at best `L_h(g) = E[min(L_{h-1}(g), L_{h-1}(g - u))]` is left, and `L_0(g) = g`.
"""

import numpy as np

from gigawatt.scheduler.packing.facts import WHOLE, Asks, Cluster, Node, Scores, Shapes
from gigawatt.scheduler.packing.fragmentation import Fragmentation
from gigawatt.scheduler.packing.outcomes import Rating, best, outcomes
from gigawatt.scheduler.packing.prior import cpu_for_a_gpu, scarcity, typical
from gigawatt.scheduler.snapshot import Amounts

FRAGMENTS = 0.15
SEVERAL = 2.0  # of fragments, for asks for several GPUs: their nodes are the hardest to get back
CORES = 0.4
CORES_FOR_A_GPU = (0.7, 1.0, 1.4)  # what may come next wants, over what the average ask wants
REMAINDERS = 1.0
SCARCITY = 0.3
CHOICES = 32  # asks that a device sees before it must be content
DIGITS = 6  # of a score: differences below are noise of the order of summation


class LeastWaste:
    """Prices for one cluster and one list of work."""

    sees_held = False

    def __init__(self, cluster: Cluster, asks: Asks, shapes: Shapes) -> None:
        devices_max = int(cluster.gpus_N.max(initial=0))
        self._shapes = shapes
        self._fragmentation = Fragmentation(typical(asks), devices_max=devices_max, several=SEVERAL)
        average = cpu_for_a_gpu(asks)
        self._served = [WHOLE / (each * average) for each in CORES_FOR_A_GPU if average]
        self._remainder = REMAINDERS * remainder(asks)
        self._charge_M = SCARCITY * scarcity(cluster, asks)

    def rate(self, node: Node) -> Rating:
        after = outcomes(self._shapes, node)
        price_SJ = self.price(node.model, after.cpu_S[:, None], after.free_SJD)
        charge_S = self.charge(node.model) * self._shapes.demand_S
        gain_SJ: Scores = price_SJ[0, 0] - price_SJ - charge_S[:, None]
        return best(after, gain_SJ.round(DIGITS))

    def charge(self, model: int) -> float:
        """For each milli-GPU of a model, how much of it others insist on."""
        return float(self._charge_M[model])

    def price(self, model: int, cpu: Amounts, free_D: Amounts) -> Scores:
        """What nodes strand, with `cpu` milli-cores and devices along the last axis of `free_D`, which broadcast."""
        fragments = FRAGMENTS * self._fragmentation(model, cpu, free_D)
        idle = free_D.sum(axis=-1)
        stranded = sum(np.maximum(idle - cpu * served, 0) for served in self._served)
        remainders = self._remainder[free_D].sum(axis=-1)
        return fragments + CORES / len(CORES_FOR_A_GPU) * stranded + remainders


def remainder(asks: Asks, choices: int = CHOICES) -> Scores:
    """Milli-GPUs that `choices` asks leave of a device at best, on average, by what is free on it: 0 to `WHOLE`."""
    count_U = np.bincount(
        asks.milli_K[asks.gpus_K == 1], weights=asks.count_K[asks.gpus_K == 1], minlength=WHOLE + 1
    )
    share_U = count_U / max(int(asks.count_K.sum()), 1)
    left = np.arange(WHOLE + 1, dtype=np.float64)
    for _ in range(choices):
        kept = left * (1 - share_U.sum())
        for milli in np.flatnonzero(share_U):
            taken = left.copy()
            taken[milli:] = np.minimum(left[milli:], left[: WHOLE + 1 - milli])
            kept = kept + share_U[milli] * taken
        left = kept
    return left
