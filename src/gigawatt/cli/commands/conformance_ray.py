"""`gw conformance --engine ray`: on the cluster that the settings name, or on a head of its own on this machine."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from gigawatt.cli.commands.conformance_trial import Trial
from gigawatt.engine.conformance import Report, run
from gigawatt.engine.conformance.ray import ray_faults
from gigawatt.engine.ray import RayEngine
from gigawatt.model.observation import NodeSeen
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.server.ray import ray_cluster, ray_options
from gigawatt.settings import Settings, from_environment

NODES_S = 120.0  # for Ray to start and to say what nodes there are
SETTLE_S = 3.0  # for more of them to come


def try_ray(trial: Trial) -> Report:
    """Raises RefusalError."""
    with tempfile.TemporaryDirectory(prefix="gw-", dir=trial.shared) as directory:
        (Path(directory) / "logs").mkdir()
        settings = replace(from_environment(), data=Path(directory))
        return asyncio.run(_tried(trial, settings))


async def _tried(trial: Trial, settings: Settings) -> Report:
    def engine() -> RayEngine:
        return RayEngine(settings.data, ray_cluster(settings), options=ray_options(settings))

    first = engine()
    await first.open(epoch=1)
    try:
        await first.adopt()
        count = await _nodes_of(first)
    finally:
        await first.close()
    click.echo(f"{count} nodes", err=True)
    try:
        return await run(
            engine,
            only=trial.cases,
            faults=trial.faults(ray_faults()),
            first_epoch=2,
            scratch=settings.data,
            huge_bytes=trial.log_size,
        )
    finally:
        last = engine()
        await last.open(epoch=1_000_000)
        await last.shutdown(grace_s=0)


async def _nodes_of(engine: RayEngine) -> int:
    try:
        async with asyncio.timeout(NODES_S):
            async for seen in engine.observe():
                if isinstance(seen, NodeSeen):
                    break
    except TimeoutError:
        raise RefusalError(
            RefusalCode.UNAVAILABLE,
            f"no node of the Ray cluster came in {NODES_S:g} s",
            hint="nodes that another instance holds are not free for a trial",
        ) from None
    await asyncio.sleep(SETTLE_S)
    return len(await engine.nodes())
