"""What `gw conformance` carries out: the suite, on an engine that is made for it and ended after it."""

import asyncio
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from gigawatt.engine.conformance import Faults, Report, run
from gigawatt.engine.conformance.commands import by_command

NODES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """As it was asked for. `node`, `lose` and `restore` are given together, or none of them is."""

    engine: str
    cases: tuple[str, ...]
    shared: Path | None
    partition: str
    log_size: int
    node: str
    lose: str
    restore: str

    @property
    def way(self) -> tuple[str, str, str]:
        return self.node, self.lose, self.restore

    def faults(self, others: Faults) -> Faults:
        """With the operator's own way to lose a node, if there is one."""
        if not self.node:
            return others
        lose, restore = by_command(self.lose), by_command(self.restore)
        return replace(others, node=self.node, lose_node=lose, restore_node=restore)


def carry_out(trial: Trial) -> Report:
    """Raises RefusalError for settings by which no cluster is reached."""
    if trial.engine == "ray":
        from gigawatt.cli.commands.conformance_ray import try_ray

        return try_ray(trial)
    if trial.engine == "twin":
        from gigawatt.twin.rehearsal import rehearse

        return rehearse(trial.cases)
    with tempfile.TemporaryDirectory(prefix="gw-", dir=trial.shared) as directory:
        tried = _local if trial.engine == "local" else _slurm
        return asyncio.run(tried(trial, Path(directory)))


async def _local(trial: Trial, data: Path) -> Report:
    from gigawatt.engine.conformance.local import local_faults
    from gigawatt.engine.local import LocalEngine, shut_down_supervisors
    from gigawatt.engine.local.walls import probe_walls

    walls = probe_walls(nodes=NODES)
    try:
        return await run(
            lambda: LocalEngine(data, nodes=NODES, walls=walls),
            only=trial.cases,
            faults=local_faults(),
            huge_bytes=trial.log_size,
        )
    finally:
        await shut_down_supervisors(data, grace_s=0)


async def _slurm(trial: Trial, data: Path) -> Report:
    from gigawatt.engine.conformance.slurm import detour_of, slurm_faults
    from gigawatt.engine.slurm import SlurmEngine, shut_down_jobs
    from gigawatt.server.slurm import slurm_of, slurm_options
    from gigawatt.settings import from_environment

    settings = from_environment()
    settings = replace(settings, slurm_partition=trial.partition or settings.slurm_partition)
    slurm, options = slurm_of(settings), slurm_options(settings)
    detour = await detour_of(slurm, data)
    try:
        return await run(
            lambda: SlurmEngine(data, detour or slurm, options=options),
            only=trial.cases,
            faults=trial.faults(slurm_faults(detour)),
            scratch=data,
            huge_bytes=trial.log_size,
        )
    finally:
        await shut_down_jobs(data, slurm)
