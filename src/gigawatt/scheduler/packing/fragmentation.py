"""FGD's measure of fragmentation: milli-GPUs of a node that a typical ask could not use, on average.

For an ask that the node cannot run (too few cores, another model, too few devices) and for an ask without GPUs,
everything idle is a fragment; else the devices that are too full for it are. Source: Weng et al., "Beware of
Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX ATC 2023, §4.1-4.3.

The sum over typical asks is tabled, so that a node's fragmentation costs one look-up for each device. Let W1[m, c, u] be
the share of asks for one GPU of model m with at most c cores and u milli, and W2[m, c, n] of those for several, n at
most. With T milli idle, devices g_d, f of them whole, the fragmentation is

    T - sum_d g_d W1[m, c, g_d] - 1000 f W2[m, c, f]
"""

import numpy as np

from gigawatt.scheduler.packing.facts import WHOLE, Scores
from gigawatt.scheduler.packing.prior import Typical
from gigawatt.scheduler.snapshot import Amounts, Rows


class Fragmentation:
    """Tables for one prior. `several` weighs asks for several GPUs more than their share says."""

    def __init__(self, typical: Typical, *, devices_max: int, several: float = 1.0) -> None:
        gpus_T, share_T = typical.gpus_T, typical.share_T
        weight_T = np.where(gpus_T > 1, several * share_T, share_T)
        wanting = [int(t) for t in np.flatnonzero(gpus_T)]
        self._sum = float(weight_T.sum())
        self._cpu_C: Amounts = np.unique(typical.cpu_T[wanting])
        self._milli_U: Amounts = np.unique(typical.milli_T[wanting])
        models = typical.allowed_TM.shape[1]
        self._one_MCU = np.zeros((models, len(self._cpu_C) + 1, len(self._milli_U) + 1))
        self._several_MCF = np.zeros((models, len(self._cpu_C) + 1, devices_max + 1))
        for t in wanting:
            allowed_M, gpus = typical.allowed_TM[t], int(gpus_T[t])
            c = 1 + int((self._cpu_C < typical.cpu_T[t]).sum())
            u = 1 + int((self._milli_U < typical.milli_T[t]).sum())
            if gpus == 1:
                self._one_MCU[allowed_M, c:, u:] += weight_T[t]
            else:
                self._several_MCF[allowed_M, c:, gpus:] += weight_T[t]

    def __call__(self, model: int, cpu: Amounts, free_D: Amounts) -> Scores:
        """Of nodes with `cpu` milli-cores and devices along the last axis of `free_D`, which broadcast."""
        c: Rows = np.searchsorted(self._cpu_C, cpu, side="right")
        u: Rows = np.searchsorted(self._milli_U, free_D, side="right")
        whole = (free_D == WHOLE).sum(axis=-1)
        usable = (free_D * self._one_MCU[model][c[..., None], u]).sum(axis=-1)
        usable = usable + WHOLE * whole * self._several_MCF[model][c, whole]
        return self._sum * free_D.sum(axis=-1) - usable
