"""Sites for the twin: so many equal nodes, in racks, leaves, spines and halls of so many each."""

from collections.abc import Iterator
from dataclasses import dataclass

from gigawatt.model.node import Gpu, NodeReport
from gigawatt.model.resources import Resources

KIND = "gpu"
GIB = 1 << 30
GPU_MEMORY_BYTES = 80 * GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """`nodes` equal nodes. A level of 0 nodes is not known; else each of its domains has so many."""

    nodes: int
    cores: int
    gpus: int = 0
    gpu_kind: str = KIND
    memory_bytes: int
    nodes_per_domain: int = 0  # of NVLink
    nodes_per_rack: int = 0
    nodes_per_leaf: int = 0
    nodes_per_spine: int = 0
    nodes_per_hall: int = 0


def build_site(*groups: NodeGroup) -> tuple[NodeReport, ...]:
    """Nodes of all groups, in order: ids count up, so that the first by id is the first of the first group."""
    total = sum(group.nodes for group in groups)
    digits = len(str(max(total - 1, 0)))
    reports: list[NodeReport] = []
    for place, group in enumerate(groups):
        for index in range(group.nodes):
            reports.append(_report(group, f"g{place}", index, f"node-{len(reports):0{digits}d}"))
    return tuple(reports)


def _report(group: NodeGroup, prefix: str, index: int, id: str) -> NodeReport:
    def domain(level: str, size: int) -> str:
        return f"{prefix}-{level}{index // size}" if size else ""

    return NodeReport(
        id=id,
        total=Resources(
            milli_gpu=1000 * group.gpus,
            milli_cpu=1000 * group.cores,
            memory_bytes=group.memory_bytes,
        ),
        topology=(
            "site",
            domain("hall", group.nodes_per_hall),
            domain("spine", group.nodes_per_spine),
            domain("leaf", group.nodes_per_leaf),
            domain("rack", group.nodes_per_rack),
            domain("nvlink", group.nodes_per_domain),
            id,
        ),
        address="",
        gpus=tuple(_gpus(group, id)),
    )


def _gpus(group: NodeGroup, id: str) -> Iterator[Gpu]:
    for index in range(group.gpus):
        uuid = f"{id}-gpu-{index}"
        yield Gpu(uuid=uuid, index=index, kind=group.gpu_kind, memory_bytes=GPU_MEMORY_BYTES)
