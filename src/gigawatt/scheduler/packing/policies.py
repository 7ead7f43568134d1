"""A packing policy by its name."""

from collections.abc import Callable

from gigawatt.scheduler.packing import names
from gigawatt.scheduler.packing.classic import (
    BestFit,
    DotProduct,
    GpuClustering,
    GpuPacking,
    Random,
)
from gigawatt.scheduler.packing.facts import Asks, Cluster, Shapes, shapes_of
from gigawatt.scheduler.packing.fgd import Fgd
from gigawatt.scheduler.packing.fragmentation import Fragmentation
from gigawatt.scheduler.packing.policy import Policy
from gigawatt.scheduler.packing.prior import typical
from gigawatt.scheduler.packing.waste import LeastWaste

_BY_SHAPE: dict[str, Callable[[Shapes], Policy]] = {
    names.BEST_FIT: BestFit,
    names.DOT_PRODUCT: DotProduct,
    names.GPU_PACKING: GpuPacking,
    names.GPU_CLUSTERING: GpuClustering,
    names.RANDOM: Random,
}


def policy_of(name: str, cluster: Cluster, asks: Asks) -> Policy:
    """One of `names.POLICIES`, made ready for a cluster and a list of work."""
    shapes = shapes_of(asks)
    if name == names.LEAST_WASTE:
        return LeastWaste(cluster, asks, shapes)
    if name == names.FGD:
        devices_max = int(cluster.gpus_N.max(initial=0))
        return Fgd(shapes, Fragmentation(typical(asks), devices_max=devices_max))
    return _BY_SHAPE[name](shapes)
