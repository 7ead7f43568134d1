"""Small clusters, and asks drawn from a seed."""

from collections.abc import Sequence

import numpy as np

from gigawatt.scheduler.packing.facts import WHOLE, Asks, Cluster, Node

MODELS = ("A", "B")
ANY = (True, True)


def a_cluster(*nodes: tuple[int, int, int, str]) -> Cluster:
    """Nodes as (milli-cores, memory, GPUs, model)."""
    cpu, memory, gpus, model = zip(*nodes, strict=True)
    return Cluster(
        cpu_N=np.array(cpu),
        memory_N=np.array(memory),
        gpus_N=np.array(gpus),
        model_N=np.array([MODELS.index(each) for each in model]),
        models=MODELS,
    )


def some_asks(
    *asks: tuple[int, int, int, int],
    allowed: Sequence[tuple[bool, bool]] | None = None,
    counts: Sequence[int] | None = None,
) -> Asks:
    """Asks as (milli-cores, memory, GPUs, milli-GPUs of each)."""
    cpu, memory, gpus, milli = zip(*asks, strict=True)
    return Asks(
        cpu_K=np.array(cpu),
        memory_K=np.array(memory),
        gpus_K=np.array(gpus),
        milli_K=np.array(milli),
        allowed_KM=np.array(allowed or [ANY] * len(asks)),
        count_K=np.array(counts or [1] * len(asks)),
    )


def a_node(cpu: int, *free: int, model: int = 0, held: frozenset[int] = frozenset()) -> Node:
    return Node(model=model, cpu=cpu, free=tuple(sorted(free, reverse=True)), held=held)


def drawn_asks(seed: int, count: int = 12) -> Asks:
    """Parts, whole GPUs and none, some of one model alone."""
    draw = np.random.default_rng(seed)
    gpus = draw.choice([0, 1, 1, 1, 1, 2, 4], count)
    part = draw.integers(1, 20, count) * 50
    milli = np.where(gpus == 0, 0, np.where((gpus == 1) & (draw.random(count) < 0.6), part, WHOLE))
    allowed = [ANY if draw.random() < 0.7 else (False, True) for _ in range(count)]
    return Asks(
        cpu_K=draw.integers(1, 12, count) * 1000,
        memory_K=draw.integers(1, 12, count),
        gpus_K=gpus,
        milli_K=milli,
        allowed_KM=np.array(allowed),
        count_K=draw.integers(1, 9, count),
    )


def drawn_cluster(seed: int, nodes: int = 9) -> Cluster:
    draw = np.random.default_rng(seed)
    return Cluster(
        cpu_N=draw.integers(4, 60, nodes) * 1000,
        memory_N=draw.integers(8, 60, nodes),
        gpus_N=draw.choice([0, 1, 2, 4, 8], nodes),
        model_N=draw.integers(0, 2, nodes),
        models=MODELS,
    )
