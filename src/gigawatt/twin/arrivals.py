"""Lists of nodes and pods as arrays, and the order in which pods come: the protocol of FGD's evaluation.

Source: Weng et al., USENIX ATC 2023, §6.1, and its simulator. Pods are sorted by name and shuffled. Then pods drawn from
the list, with replacement, are appended until the next would take the GPUs asked for beyond a ratio of the capacity (of
that next one, the milli-GPUs of one of its GPUs are counted); or, if the list asks for more already, pods are removed at
random until it does not. Nodes are put in a random order too: it settles ties, and it is part of the published results.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigawatt.scheduler.packing.facts import Asks, Cluster
from gigawatt.scheduler.snapshot import Rows
from gigawatt.twin.chance import Chance
from gigawatt.twin.openb import NodeRow, PodRow

INFLATED_TO = 1.3  # of the capacity, in the published evaluation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """The two lists, sorted by name. `ask_P` is the row of each pod's ask."""

    nodes: tuple[NodeRow, ...]
    pods: tuple[PodRow, ...]
    asks: Asks
    ask_P: Rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrivals:
    """What one seed makes of it: rows of pods in the order in which they come, and rows of nodes in theirs."""

    pods: tuple[int, ...]
    nodes: Rows
    cluster: Cluster  # in the order of `nodes`


def work_of(nodes: Sequence[NodeRow], pods: Sequence[PodRow]) -> Work:
    ordered_nodes = tuple(sorted(nodes, key=lambda node: node.name))
    ordered_pods = tuple(sorted(pods, key=lambda pod: pod.name))
    models = _models(ordered_nodes)
    keys = [(p.cpu_milli, p.memory_mib, p.gpus, p.gpu_milli, p.models) for p in ordered_pods]
    distinct = sorted(set(keys))
    row_of = {key: row for row, key in enumerate(distinct)}
    ask_P = np.array([row_of[key] for key in keys], dtype=np.intp)
    amounts_KC = np.array([key[:4] for key in distinct], dtype=np.int64)
    asks = Asks(
        cpu_K=amounts_KC[:, 0],
        memory_K=amounts_KC[:, 1],
        gpus_K=amounts_KC[:, 2],
        milli_K=amounts_KC[:, 3],
        allowed_KM=np.array([[not key[4] or m in key[4] for m in models] for key in distinct]),
        count_K=np.bincount(ask_P, minlength=len(distinct)),
    )
    return Work(nodes=ordered_nodes, pods=ordered_pods, asks=asks, ask_P=ask_P)


def arrivals_of(work: Work, chance: Chance, ratio: float) -> Arrivals:
    """Pods up to `ratio` of the GPUs there are, then the order of the nodes."""
    pods = _tuned(work, chance, ratio)
    order = chance.shuffled(len(work.nodes))
    return Arrivals(pods=tuple(pods), nodes=order, cluster=_cluster(work.nodes, order))


def _tuned(work: Work, chance: Chance, ratio: float) -> list[int]:
    demand_P = work.asks.demand_K[work.ask_P]
    milli_P = work.asks.milli_K[work.ask_P]
    limit = ratio * sum(node.gpus for node in work.nodes) * 1000
    pods: list[int] = chance.shuffled(len(work.pods)).tolist()
    asked = int(demand_P.sum())
    if asked > limit:
        while asked > limit:
            asked -= int(demand_P[pods.pop(chance.below(len(pods)))])
        return pods
    while asked < limit:
        pod = chance.below(len(work.pods))
        if asked + int(milli_P[pod]) > limit:
            break
        pods.append(pod)
        asked += int(demand_P[pod])
    return pods


def _cluster(nodes: Sequence[NodeRow], order: Rows) -> Cluster:
    models = _models(nodes)
    rows = [nodes[int(row)] for row in order]
    return Cluster(
        cpu_N=np.array([node.cpu_milli for node in rows], dtype=np.int64),
        memory_N=np.array([node.memory_mib for node in rows], dtype=np.int64),
        gpus_N=np.array([node.gpus for node in rows], dtype=np.int64),
        model_N=np.array([models.index(node.model) for node in rows], dtype=np.intp),
        models=models,
    )


def _models(nodes: Sequence[NodeRow]) -> tuple[str, ...]:
    return tuple(sorted({node.model for node in nodes}))
