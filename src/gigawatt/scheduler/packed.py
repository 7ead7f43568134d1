"""Where a policy that packs shared nodes would put a demand in a cycle: the scores of `packing`, of many nodes at once.

They order the nodes that have room for it, in place of what would stay free on each. All else is as it is without them:
which nodes a gang may be given, its kinds of GPU, and that a gang of several nodes lies near together; they then choose
among the nodes of one domain. On nodes that gangs have to themselves they say nothing, because these are all alike.

R  the nodes in question
J  for a share of a device, the devices that it might go to; else one outcome
D  devices of a node
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gigawatt.scheduler.ask import Demand
from gigawatt.scheduler.packing.classic import (
    alike_first,
    least_along,
    left_with_least,
    shared_first,
)
from gigawatt.scheduler.packing.facts import WHOLE, Scores, shapes_of
from gigawatt.scheduler.packing.fgd import squashed
from gigawatt.scheduler.packing.fragmentation import Fragmentation
from gigawatt.scheduler.packing.now import asks_of, cluster_of
from gigawatt.scheduler.packing.prior import typical
from gigawatt.scheduler.packing.waste import DIGITS, LeastWaste
from gigawatt.scheduler.policy import Fit, Policy
from gigawatt.scheduler.snapshot import CPU, Amounts, Codes, Rows, Snapshot

DIGIT = 10**DIGITS  # scores differ by no less than one of so many parts
SIZE_MAX = 62  # whole devices of one gang on a node, which are told apart; beyond it they are alike


class Space(Protocol):
    """What is free, of a room."""

    @property
    def free_KN(self) -> Amounts: ...
    @property
    def device_ND(self) -> Codes: ...
    @property
    def idle_N(self) -> Rows: ...
    @property
    def held_N(self) -> Amounts: ...
    @property
    def takes(self) -> int: ...


class Packer:
    """Of one round. What it thinks depends on the snapshot, the policy and the space, and on nothing else."""

    def __init__(self, snapshot: Snapshot, policy: Policy) -> None:
        self._snapshot = snapshot
        self._nodes = snapshot.nodes
        self._seed = policy.seed
        self._fit = policy.fit
        self._cpu_max = int(self._nodes.total_NK[:, CPU].max(initial=1))
        self._milli_max = WHOLE * int(self._nodes.device_count_N.max(initial=1))
        self._rate: Callable[[Space, Demand, Rows], Scores] = {
            Fit.BEST_FIT: self._best_fit,
            Fit.DOT_PRODUCT: self._dot_product,
            Fit.GPU_PACKING: self._gpu_packing,
            Fit.GPU_CLUSTERING: self._gpu_clustering,
        }.get(policy.fit, self._priced)
        self._fragmentation: Fragmentation | None = None
        self._waste: LeastWaste | None = None

    def held_N(self) -> Amounts:
        """The sizes of what runs on each node, as bits: the first is a share of a device."""
        nodes = self._nodes
        held_N = np.zeros(len(nodes.ids), dtype=np.int64)
        if self._fit is Fit.GPU_CLUSTERING:
            for use in range(nodes.use_gpu_NU.shape[-1]):
                milli_N = np.where(use < nodes.gangs_N, nodes.use_gpu_NU[:, use], 0)
                held_N |= np.where(milli_N > 0, 1 << np.minimum(milli_N // WHOLE, SIZE_MAX), 0)
        return held_N

    def left(self, space: Space, demand: Demand, rows: Rows) -> Amounts:
        """One number to order by: the least is the best."""
        if self._fit is Fit.RANDOM:
            return (self._drawn(space, rows) >> np.uint64(24)).astype(np.int64)
        score_R = self._rate(space, demand, rows).max(axis=1, initial=-np.inf)
        return -np.rint(score_R * DIGIT).astype(np.int64)

    def devices(self, space: Space, demand: Demand, rows: Rows) -> Rows:
        """The device on each of `rows` that a share goes to; of equal ones that with the least free, then the first."""
        device_RD = space.device_ND[rows].astype(np.int64)
        fits_RD = device_RD >= demand.share
        if self._fit is Fit.RANDOM:
            chosen = self._drawn(space, rows) % fits_RD.sum(axis=1).astype(np.uint64)
            return (np.cumsum(fits_RD, axis=1) > chosen.astype(np.int64)[:, None]).argmax(axis=1)
        score_RJ = np.zeros_like(device_RD, dtype=np.float64)
        if self._fit in {Fit.FGD, Fit.LEAST_WASTE}:
            score_RJ = self._priced(space, demand, rows)
        score_RJ = np.where(fits_RD, score_RJ, -np.inf)
        best_RD = score_RJ == score_RJ.max(axis=1, keepdims=True)
        return np.where(best_RD, device_RD, WHOLE + 1).argmin(axis=1)

    def _best_fit(self, space: Space, demand: Demand, rows: Rows) -> Scores:
        cpu_R, milli_R = self._free(space, rows)
        cpu_R, milli_R = cpu_R - demand.milli_cpu, milli_R - demand.milli_gpu
        return left_with_least(cpu_R / self._cpu_max, milli_R / self._milli_max)[:, None]

    def _dot_product(self, space: Space, demand: Demand, rows: Rows) -> Scores:
        cpu_R, milli_R = self._free(space, rows)
        along_cpu_R = cpu_R / self._cpu_max * (demand.milli_cpu / self._cpu_max)
        along_gpu_R = milli_R / self._milli_max * (demand.milli_gpu / self._milli_max)
        return least_along(along_cpu_R, along_gpu_R)[:, None]

    def _gpu_packing(self, space: Space, demand: Demand, rows: Rows) -> Scores:
        idle_R, device_RD = space.idle_N[rows], space.device_ND[rows].astype(np.int64)
        level_R = np.where(device_RD >= max(demand.share, 1), device_RD, WHOLE).min(
            axis=1, initial=WHOLE
        )
        empty_R = idle_R == self._nodes.device_count_N[rows]
        gpus = -(-demand.milli_gpu // WHOLE)
        return shared_first(
            idle_R, empty=empty_R, part=float(demand.share), gpus=float(gpus), level=level_R
        )[:, None]

    def _gpu_clustering(self, space: Space, demand: Demand, rows: Rows) -> Scores:
        _, milli_R = self._free(space, rows)
        held_R = space.held_N[rows]
        own = size_bit(demand.milli_gpu)
        full_R = 25 * (self._milli_max - milli_R) // self._milli_max
        sizes_R = np.bitwise_count(held_R)
        return alike_first(
            full_R, same=(held_R & own) > 0, sizes=sizes_R, gpus=float(demand.milli_gpu)
        )[:, None]

    def _priced(self, space: Space, demand: Demand, rows: Rows) -> Scores:
        """By what a placement would strand; nodes that are alike are looked at once."""
        cpu_R, _ = self._free(space, rows)
        model_R = np.maximum(self._nodes.gpu_kind_N[rows], 0)
        states_RC = np.column_stack([model_R, cpu_R, space.device_ND[rows]]).astype(np.int64)
        key_R = states_RC.view(np.dtype((np.void, states_RC.itemsize * states_RC.shape[1])))
        _, first, of_R = np.unique(key_R.reshape(-1), return_index=True, return_inverse=True)
        return self._strands(states_RC[first], demand)[of_R.reshape(-1)]

    def _strands(self, states_RC: Amounts, demand: Demand) -> Scores:
        """Of nodes by their model of GPU, cores and devices; of each model in turn."""
        model_R, cpu_R, free_RD = states_RC[:, 0], states_RC[:, 1], states_RC[:, 2:]
        after_RJD = _after(free_RD, demand)
        score_RJ = np.empty(after_RJD.shape[:2])
        for model in np.unique(model_R).tolist():
            of = np.flatnonzero(model_R == model)
            left = np.maximum(cpu_R[of] - demand.milli_cpu, 0)
            before_R = self._price(model, cpu_R[of], free_RD[of])
            price_RJ = self._price(model, left[:, None], after_RJD[of])
            score_RJ[of] = self._judged(before_R[:, None] - price_RJ, model, demand.milli_gpu)
        if demand.share:
            score_RJ[free_RD < demand.share] = -np.inf
        return score_RJ

    def _price(self, model: int, cpu: Amounts, free_D: Amounts) -> Scores:
        if self._fit is Fit.FGD:
            return self._fragments(model, cpu, free_D)
        return self._wasted.price(model, cpu, free_D)

    def _judged(self, gain: Scores, model: int, milli: int) -> Scores:
        if self._fit is Fit.FGD:
            return squashed(gain)
        return (gain - self._wasted.charge(model) * milli).round(DIGITS)

    @property
    def _fragments(self) -> Fragmentation:
        if self._fragmentation is None:
            devices_max = self._milli_max // WHOLE
            self._fragmentation = Fragmentation(
                typical(asks_of(self._snapshot)), devices_max=devices_max
            )
        return self._fragmentation

    @property
    def _wasted(self) -> LeastWaste:
        if self._waste is None:
            asks = asks_of(self._snapshot)
            self._waste = LeastWaste(cluster_of(self._nodes), asks, shapes_of(asks))
        return self._waste

    def _free(self, space: Space, rows: Rows) -> tuple[Amounts, Amounts]:
        """Cores, and what is free of all devices together."""
        return space.free_KN[CPU, rows], space.device_ND[rows].sum(axis=1, dtype=np.int64)

    def _drawn(self, space: Space, rows: Rows) -> npt.NDArray[np.uint64]:
        """As good as chance, of the seed, the time, how much the round has given, and the node."""
        at = np.array([self._seed, self._snapshot.now_ms, space.takes], dtype=np.uint64)
        base = _mixed(_mixed(_mixed(at[:1]) + at[1:2]) + at[2:])
        return _mixed(base + rows.astype(np.uint64))


def packer_of(snapshot: Snapshot, policy: Policy) -> Packer | None:
    """None where nodes are ordered by what would stay free on them, or not at all."""
    return Packer(snapshot, policy) if policy.packs else None


def size_bit(milli_gpu: int) -> int:
    """What a gang adds to the sizes that a node holds; nothing where it has no GPU."""
    return 1 << min(milli_gpu // WHOLE, SIZE_MAX) if milli_gpu else 0


def _after(free_RD: Amounts, demand: Demand) -> Amounts:
    """Devices afterwards: of a share for each device that it might go to, else the first idle ones gone."""
    if demand.share:
        after_RJD = np.repeat(free_RD[:, None, :], free_RD.shape[1], axis=1)
        places: Rows = np.arange(free_RD.shape[1], dtype=np.intp)
        after_RJD[:, places, places] -= demand.share
        return np.maximum(after_RJD, 0)
    idle_RD = free_RD == WHOLE
    gone_RD = idle_RD & (np.cumsum(idle_RD, axis=1) <= demand.devices)
    return np.where(gone_RD, 0, free_RD)[:, None, :]


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64's last step (Steele, Lea, Flood, OOPSLA 2014): equal input, equal output, and no pattern between."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
