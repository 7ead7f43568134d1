"""A second record of what is free, kept plainly: nothing is given twice, and what was turned away fitted nowhere."""

import numpy as np

from gigawatt.scheduler.packing.facts import WHOLE, Asks, Cluster
from gigawatt.scheduler.packing.fill import ASKS_MAX, Placed


class Books:
    """Knows nothing of scores. A placement that is not possible is a mistake of ours, and fails."""

    def __init__(self, cluster: Cluster, asks: Asks) -> None:
        devices = np.arange(int(cluster.gpus_N.max(initial=0)))
        self._cluster, self._asks = cluster, asks
        self._cpu_N, self._memory_N = cluster.cpu_N.copy(), cluster.memory_N.copy()
        self._free_ND = np.where(devices < cluster.gpus_N[:, None], WHOLE, 0)
        self._asks_N = np.zeros(len(cluster.cpu_N), dtype=np.int64)

    @property
    def used_milli(self) -> int:
        return self._cluster.milli - int(self._free_ND.sum())

    def take(self, ask: int, placed: Placed) -> None:
        row, devices, asks = placed.node, list(placed.devices), self._asks
        assert len(set(devices)) == asks.gpus_K[ask], "as many devices as were asked for"
        assert not devices or asks.allowed_KM[ask, self._cluster.model_N[row]], "an allowed model"
        self._cpu_N[row] -= asks.cpu_K[ask]
        self._memory_N[row] -= asks.memory_K[ask]
        self._free_ND[row, devices] -= asks.milli_K[ask]
        self._asks_N[row] += 1
        least = min(self._cpu_N[row], self._memory_N[row], self._free_ND[row].min(initial=0))
        assert least >= 0 and self._asks_N[row] <= ASKS_MAX, "nothing beyond what there is"

    def fits(self, ask: int) -> bool:
        """Whether any node has room for it."""
        asks = self._asks
        room_N = (self._cpu_N >= asks.cpu_K[ask]) & (self._memory_N >= asks.memory_K[ask])
        room_N &= self._asks_N < ASKS_MAX
        if asks.gpus_K[ask]:
            room_N &= asks.allowed_KM[ask][self._cluster.model_N]
            room_N &= (self._free_ND >= asks.milli_K[ask]).sum(axis=1) >= asks.gpus_K[ask]
        return bool(room_N.any())
