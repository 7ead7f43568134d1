"""What the work of the moment asks for, as a policy that needs to know it is told in a cycle: the line, and what runs.

A list of all work to come is not to be had in a cycle. What waits and what runs is what came of late, and is in the
snapshot, so that a cycle decides alike wherever it is decided again.

A  asks: milli-GPUs, milli-cores, the kinds of GPU that it names, and how many nodes or places of them there are
"""

import numpy as np

from gigawatt.scheduler.packing.facts import WHOLE, Asks, Cluster
from gigawatt.scheduler.snapshot import CPU, DEVICE_MILLI, GPU, MEMORY, NONE, NodeColumns, Snapshot

ANY = -1  # names no kind of GPU; of what runs it is not known


def cluster_of(nodes: NodeColumns) -> Cluster:
    """Every node when it is empty. Where no node has a GPU there is one model, of none."""
    return Cluster(
        cpu_N=nodes.total_NK[:, CPU],
        memory_N=nodes.total_NK[:, MEMORY],
        gpus_N=nodes.device_count_N.astype(np.int64),
        model_N=np.maximum(nodes.gpu_kind_N, 0).astype(np.intp),
        models=nodes.gpu_kinds or ("",),
    )


def asks_of(snapshot: Snapshot) -> Asks:
    """What waits and what runs, by what each of its nodes asks for; nothing, once, where there is neither."""
    gangs, nodes = snapshot.gangs, snapshot.nodes
    waits = np.column_stack(
        [gangs.per_node_GK[:, GPU], gangs.per_node_GK[:, CPU], gangs.kinds_G, gangs.nodes_min_G]
    )
    uses: int = nodes.use_end_NU.shape[-1]
    there = np.arange(uses) < nodes.gangs_N.reshape(-1, 1)
    gpu, cpu = nodes.use_gpu_NU[there], nodes.use_cpu_NU[there]
    runs = np.column_stack([gpu, cpu, np.full_like(gpu, ANY), np.ones_like(gpu)])
    rows = np.concatenate([waits, runs]) if len(waits) + len(runs) else np.array([[0, 0, ANY, 1]])
    unique_AC, place = np.unique(rows[:, :3], axis=0, return_inverse=True)
    milli_A, cpu_A, kinds_A = unique_AC.T
    models = nodes.gpu_kinds or ("",)
    codes: list[int] = kinds_A.tolist()
    named = [gangs.kind_lists[code] if code != NONE else () for code in codes]
    allowed_AM = [[not kinds or model in kinds for model in models] for kinds in named]
    return Asks(
        cpu_K=cpu_A,
        memory_K=np.zeros_like(cpu_A),
        gpus_K=-(-milli_A // DEVICE_MILLI),
        milli_K=np.minimum(milli_A, WHOLE),
        allowed_KM=np.array(allowed_AM, dtype=np.bool_),
        count_K=np.bincount(place.reshape(-1), weights=rows[:, 3]).astype(np.int64),
    )
