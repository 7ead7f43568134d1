"""How to do harm to a Slurm engine, and to nothing of the cluster that it runs on."""

import re
from pathlib import Path

from gigawatt.engine.conformance.bench import Bench, Fault, Faults
from gigawatt.engine.conformance.harm import kill_supervisor
from gigawatt.engine.slurm import Slurm, SlurmCommands
from gigawatt.engine.slurm.batch import Batch
from gigawatt.engine.slurm.client import SlurmFacts, SlurmRefusedError
from gigawatt.engine.slurm.tables import SlurmJob, SlurmNode

NOWHERE = "SlurmctldHost=localhost(127.0.0.1)\nSlurmctldPort=1\n"
_CONTROLLER = re.compile(
    r"\s*(slurmctldhost|slurmctldport|control(machine|addr))\s*=", re.IGNORECASE
)


class Detour:
    """Slurm by one client or, while `lost`, by another one that looks for the controller where none is."""

    def __init__(self, right: Slurm, wrong: Slurm) -> None:
        self.lost = False
        self._right, self._wrong = right, wrong

    @property
    def _way(self) -> Slurm:
        return self._wrong if self.lost else self._right

    async def facts(self) -> SlurmFacts:
        return await self._way.facts()

    async def topology(self) -> str:
        return await self._way.topology()

    async def nodes(self, partition: str) -> tuple[SlurmNode, ...]:
        return await self._way.nodes(partition)

    async def jobs(self) -> tuple[SlurmJob, ...]:
        return await self._way.jobs()

    async def submit(self, batch: Batch) -> int:
        return await self._way.submit(batch)

    async def cancel(self, jobs: tuple[int, ...]) -> None:
        await self._way.cancel(jobs)

    async def describe(self, job: int) -> str:
        return await self._way.describe(job)

    async def drain(self, node: str, reason: str) -> None:
        await self._way.drain(node, reason)

    async def resume(self, node: str) -> None:
        await self._way.resume(node)

    async def close(self) -> None:
        await self._right.close()
        await self._wrong.close()


async def detour_of(slurm: Slurm, directory: Path) -> Detour | None:
    """Commands that read a configuration in which the controller is elsewhere; None where ours cannot be read."""
    try:
        text = (await SlurmCommands().configuration()).read_text()
    except (OSError, SlurmRefusedError):
        return None
    kept = [line for line in text.splitlines() if not _CONTROLLER.match(line)]
    file = directory / "elsewhere.conf"
    file.write_text("\n".join(kept) + "\n" + NOWHERE)
    return Detour(slurm, SlurmCommands({"SLURM_CONF": str(file)}))


def slurm_faults(detour: Detour | None) -> Faults:
    """Nodes are not lost by it: that takes an operator."""
    if detour is None:
        return Faults(kill_supervisor=kill_supervisor)
    return Faults(
        kill_supervisor=kill_supervisor,
        silence=_turned(detour, lost=True),
        speak=_turned(detour, lost=False),
    )


def _turned(detour: Detour, *, lost: bool) -> Fault:
    async def turn(_bench: Bench, _node: str) -> None:
        detour.lost = lost

    return turn
