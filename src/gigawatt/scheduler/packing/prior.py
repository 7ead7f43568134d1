"""What may be known of the work before it comes: which asks are typical, and what they want together.

A policy may use how often each ask stands in the list of work, as FGD does, but not the order of arrival.
"""

from dataclasses import dataclass

import numpy as np

from gigawatt.scheduler.packing.facts import Asks, Cluster, Scores
from gigawatt.scheduler.snapshot import Amounts, Flags, Rows

COVERAGE = 0.95  # FGD's: of all asks, so many are typical
SCARCITY_ROUNDS = 50
SCARCITY_STEP = 0.3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Typical:
    """The most frequent asks, memory aside, and the share of each; shares sum to 1."""

    cpu_T: Amounts
    gpus_T: Amounts
    milli_T: Amounts
    allowed_TM: Flags
    share_T: Scores


def typical(asks: Asks, coverage: float = COVERAGE) -> Typical:
    """The most frequent asks that together make up `coverage` of all (FGD, ATC'23, §4.2)."""
    allowed_KM = asks.allowed_KM.astype(np.int64)
    rows_KC = np.column_stack([asks.cpu_K, asks.milli_K, asks.gpus_K, allowed_KM])
    unique_TC, group_K = np.unique(rows_KC, axis=0, return_inverse=True)
    count_T = np.bincount(group_K.reshape(-1), weights=asks.count_K)
    order: Rows = np.lexsort([*unique_TC.T[::-1], count_T])[::-1]
    before_T = np.cumsum(count_T[order]) - count_T[order]
    chosen = order[before_T < coverage * count_T.sum()]
    cpu_T, milli_T, gpus_T = unique_TC[chosen, :3].T
    return Typical(
        cpu_T=cpu_T,
        gpus_T=gpus_T,
        milli_T=milli_T,
        allowed_TM=unique_TC[chosen, 3:].astype(np.bool_),
        share_T=count_T[chosen] / count_T[chosen].sum(),
    )


def cpu_for_a_gpu(asks: Asks) -> float:
    """Milli-cores that asks for GPUs want for each GPU, on average; infinitely little where none wants GPUs."""
    wanted = asks.gpus_K > 0
    milli = float((asks.demand_K * asks.count_K)[wanted].sum())
    cpu = float((asks.cpu_K * asks.count_K)[wanted].sum())
    return cpu / milli * 1000 if milli else 0.0


def scarcity(cluster: Cluster, asks: Asks) -> Scores:
    """For each GPU model, the demand that insists on it over its capacity, if all demand were the whole cluster's.

    Demand that allows several models goes to those with the least load, by multiplicative weights: from a split in
    proportion to capacity, `SCARCITY_ROUNDS` times by `exp(-SCARCITY_STEP * load)`. 0 where nothing insists.
    """
    capacity_M = np.bincount(cluster.model_N, cluster.gpus_N, len(cluster.models)).astype(float)
    demand_K = asks.demand_K * asks.count_K
    present_M = capacity_M > 0
    insists_K = (demand_K > 0) & ~asks.allowed_KM[:, present_M].all(axis=1)
    if not insists_K.any():
        return np.zeros(len(capacity_M))
    insisting_KM: Flags = asks.allowed_KM[insists_K]
    specs_RM, group_R = np.unique(insisting_KM, axis=0, return_inverse=True)
    want_R = np.bincount(group_R.reshape(-1), weights=demand_K[insists_K])
    want_R *= capacity_M.sum() / demand_K.sum()
    room_M = np.maximum(capacity_M, 1e-9)
    split_RM = _shares(np.where(specs_RM, capacity_M, 0.0))
    for _ in range(SCARCITY_ROUNDS):
        load_M = want_R @ split_RM / room_M
        split_RM = _shares(split_RM * np.exp(-SCARCITY_STEP * load_M))
    return np.where(present_M, want_R @ split_RM / room_M, 0.0)


def _shares(weight_RM: Scores) -> Scores:
    return weight_RM / np.maximum(weight_RM.sum(axis=1, keepdims=True), 1e-300)
