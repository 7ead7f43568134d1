"""How to do harm to the nodes of a test cluster."""

import os
import signal

from gigawatt.engine.conformance import Faults
from gigawatt.engine.slurm import SlurmEngine
from tests.slurm_cluster import SlurmCluster


def slurm_faults(cluster: SlurmCluster) -> Faults:
    """A node is lost with its slurmd, and back with another one."""

    async def lose(_engine: SlurmEngine, node: str) -> None:
        cluster.kill(node)

    async def restore(_engine: SlurmEngine, node: str) -> None:
        cluster.start(node)

    async def kill(engine: SlurmEngine, node: str) -> None:
        for pid in engine.supervisor_pids(node):
            os.kill(pid, signal.SIGKILL)

    async def silence(_engine: SlurmEngine, _node: str) -> None:
        cluster.pause("slurmctld")

    async def speak(_engine: SlurmEngine, _node: str) -> None:
        cluster.pause("slurmctld", resume=True)

    return Faults(
        lose_node=lose, restore_node=restore, kill_supervisor=kill, silence=silence, speak=speak
    )
