"""Alibaba's cluster-trace-gpu-v2023 ("openb") as a workload in time, and its list of nodes as a site.

Pods come when they were created and run for as long as they did. One that never ran, or had not ended, is left out.
"""

from pathlib import Path

from gigawatt.model.gang import Shape
from gigawatt.model.node import Gpu, NodeReport
from gigawatt.model.resources import Resources
from gigawatt.twin.openb import NodeRow, PodRow, read_lives, read_nodes
from gigawatt.twin.site import GPU_MEMORY_BYTES
from gigawatt.twin.traces.trace import Trace, in_order
from gigawatt.twin.work import Work

MIB = 1 << 20


def read_openb(file: Path, *, jobs_max: int = 0) -> Trace:
    """The first `jobs_max` pods by their times, 0 for all. Raises RefusalError with the line that is wrong."""
    lives = read_lives(file)
    shapes: dict[PodRow, Shape] = {}
    works = [
        Work(at_ms=1000 * life.at_s, run_ms=1000 * life.run_s, shape=_shape(life.pod, shapes))
        for life in lives
        if life.run_s is not None
    ]
    return Trace(works=in_order(works, jobs_max=jobs_max), skipped=len(lives) - len(works))


def read_openb_site(file: Path) -> tuple[NodeReport, ...]:
    """Its nodes, of which no more is known than their names. Raises RefusalError with the line that is wrong."""
    return tuple(_report(node) for node in sorted(read_nodes(file), key=lambda node: node.name))


def _shape(pod: PodRow, known: dict[PodRow, Shape]) -> Shape:
    """Of one node. Pods that differ in their names alone share theirs."""
    key = PodRow(
        name="",
        cpu_milli=pod.cpu_milli,
        memory_mib=pod.memory_mib,
        gpus=pod.gpus,
        gpu_milli=pod.gpu_milli,
        models=pod.models,
    )
    if key not in known:
        amounts = Resources(
            milli_gpu=pod.gpus * pod.gpu_milli,
            milli_cpu=pod.cpu_milli,
            memory_bytes=pod.memory_mib * MIB,
        )
        kinds = pod.models if pod.gpus else ()
        known[key] = Shape(nodes_min=1, nodes_max=1, per_node=amounts, gpu_kinds=kinds)
    return known[key]


def _report(node: NodeRow) -> NodeReport:
    gpus = tuple(
        Gpu(
            uuid=f"{node.name}-gpu-{index}",
            index=index,
            kind=node.model,
            memory_bytes=GPU_MEMORY_BYTES,
        )
        for index in range(node.gpus)
    )
    total = Resources(
        milli_gpu=1000 * node.gpus, milli_cpu=node.cpu_milli, memory_bytes=node.memory_mib * MIB
    )
    topology = ("site", "", "", "", "", "", node.name)
    return NodeReport(id=node.name, total=total, topology=topology, address="", gpus=gpus)
