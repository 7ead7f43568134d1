"""How to do harm to the nodes of a test cluster."""

from gigawatt.engine.conformance import Faults
from gigawatt.engine.conformance.bench import Bench
from gigawatt.engine.conformance.harm import kill_supervisor
from tests.slurm_cluster import SlurmCluster


def cluster_faults(cluster: SlurmCluster) -> Faults:
    """A node is lost with its slurmd, and back with another one."""

    async def lose(_bench: Bench, node: str) -> None:
        cluster.kill(node)

    async def restore(_bench: Bench, node: str) -> None:
        cluster.start(node)

    async def silence(_bench: Bench, _node: str) -> None:
        cluster.pause("slurmctld")

    async def speak(_bench: Bench, _node: str) -> None:
        cluster.pause("slurmctld", resume=True)

    return Faults(
        lose_node=lose,
        restore_node=restore,
        kill_supervisor=kill_supervisor,
        silence=silence,
        speak=speak,
    )
