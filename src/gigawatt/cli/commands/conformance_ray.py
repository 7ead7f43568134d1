"""`gw conformance --engine ray`: on the cluster that the settings name, or on a head of its own on this machine."""

import asyncio
import os
import signal
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from gigawatt.engine.conformance import Faults, Report, run
from gigawatt.engine.ray import RayEngine
from gigawatt.model.observation import NodeSeen
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.server.ray import ray_cluster, ray_options
from gigawatt.settings import Settings, from_environment

NODES_S = 120.0  # for Ray to start and to say what nodes there are
SETTLE_S = 3.0  # for more of them to come


def try_ray(cases: tuple[str, ...], shared: Path | None) -> Report:
    """`shared` is a directory that nodes see, where there are several machines. Raises RefusalError."""
    with tempfile.TemporaryDirectory(prefix="gw-", dir=shared) as directory:
        (Path(directory) / "logs").mkdir()
        settings = replace(from_environment(), data=Path(directory))
        return asyncio.run(_tried(cases, settings))


async def _tried(cases: tuple[str, ...], settings: Settings) -> Report:
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
    faults = Faults() if settings.ray_address else Faults(lose_node=_kill, kill_supervisor=_kill)
    try:
        return await run(engine, only=cases, faults=faults, first_epoch=2, scratch=settings.data)
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


async def _kill(engine: RayEngine, node: str) -> None:
    """On this machine."""
    os.kill(engine.supervisor_pid(node), signal.SIGKILL)
