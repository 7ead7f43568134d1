"""Small sites and workloads for tests of the twin."""

from gigawatt.model.gang import Shape
from gigawatt.model.node import NodeReport
from gigawatt.model.resources import Resources
from gigawatt.twin.site import NodeGroup, build_site
from gigawatt.twin.work import Work

GIB = 1 << 30


def gpu_site(nodes: int, gpus: int = 8) -> tuple[NodeReport, ...]:
    return build_site(NodeGroup(nodes=nodes, cores=64, gpus=gpus, memory_bytes=512 * GIB))


def core_site(nodes: int, cores: int = 8) -> tuple[NodeReport, ...]:
    return build_site(NodeGroup(nodes=nodes, cores=cores, memory_bytes=16 * GIB))


def gpu_work(
    at_s: int,
    run_s: int,
    *,
    gpus: int = 8,
    nodes: int = 1,
    most: int = 0,
    limit_s: int = 0,
    project: str = "default",
) -> Work:
    return Work(
        at_ms=at_s * 1000,
        run_ms=run_s * 1000,
        limit_ms=limit_s * 1000,
        project=project,
        shape=Shape(
            nodes_min=nodes,
            nodes_max=most or nodes,
            per_node=Resources(milli_gpu=1000 * gpus, milli_cpu=1000),
        ),
    )
