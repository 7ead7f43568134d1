"""What is packed, and onto what: the nodes, the distinct asks, and one node at one moment.

Axes, as suffixes of names, here and in the other modules of this package:

    N  nodes, in the order that settles ties
    K  distinct asks: cores, memory, GPUs, milli-GPUs of each, models allowed
    S  distinct shapes: an ask without its memory and its models, which is what a score depends on
    M  GPU models, sorted
    D  devices of a node
    J  devices of a node that differ in what is free, least first
    T  typical asks, most frequent first

Cores are in milli, memory in whatever unit both lists share, devices in milli-GPUs. A whole device is `WHOLE`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gigawatt.scheduler.snapshot import DEVICE_MILLI as WHOLE
from gigawatt.scheduler.snapshot import Amounts, Flags, Rows

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cluster:
    """Every node when it is empty. `model_N` is an index into `models`; nodes without GPUs have one too, unused."""

    cpu_N: Amounts
    memory_N: Amounts
    gpus_N: Amounts
    model_N: Rows
    models: tuple[str, ...]

    @property
    def milli(self) -> int:
        """Milli-GPUs that are installed."""
        return int(self.gpus_N.sum()) * WHOLE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asks:
    """The distinct asks. One GPU may be asked for in part, several only whole; none has `milli_K` 0.

    `count_K` is how often each stands in the list of work: what a policy may know in advance.
    """

    cpu_K: Amounts
    memory_K: Amounts
    gpus_K: Amounts
    milli_K: Amounts
    allowed_KM: Flags
    count_K: Amounts

    @property
    def demand_K(self) -> Amounts:
        """Milli-GPUs in all."""
        return self.gpus_K * self.milli_K


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shapes:
    """The distinct shapes, and the shape of each ask. The first shape asks for nothing and is no ask's."""

    cpu_S: Amounts
    gpus_S: Amounts
    demand_S: Amounts  # milli-GPUs in all
    part_S: (
        Amounts  # milli-GPUs of a part of one device; 0 where whole devices or none are asked for
    )
    whole_S: Amounts  # whole devices
    shape_K: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node at one moment, without its name and memory: nodes that are equal here score equal."""

    model: int
    cpu: int
    free: tuple[int, ...]  # milli-GPUs of each device, most first
    held: frozenset[int]  # sizes of what it has taken: 0 for a part of a GPU, else whole GPUs

    @property
    def free_D(self) -> Amounts:
        return np.array(self.free, dtype=np.int64)


def shapes_of(asks: Asks) -> Shapes:
    rows_KC = np.stack([asks.cpu_K, asks.gpus_K, asks.milli_K], axis=1)
    unique_SC, shape_K = np.unique(rows_KC, axis=0, return_inverse=True)
    cpu_S, gpus_S, milli_S = np.vstack([np.zeros((1, 3), dtype=np.int64), unique_SC]).T
    return Shapes(
        cpu_S=cpu_S,
        gpus_S=gpus_S,
        demand_S=gpus_S * milli_S,
        part_S=np.where(milli_S < WHOLE, milli_S, 0),
        whole_S=np.where(milli_S == WHOLE, gpus_S, 0),
        shape_K=shape_K.reshape(-1) + 1,
    )
