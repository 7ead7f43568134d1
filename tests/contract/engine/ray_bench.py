"""Engines that lead on a Ray cluster of this machine, for tests of the Ray engine."""

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from gigawatt.build.bundles import unpack
from gigawatt.engine.conformance import Faults
from gigawatt.engine.conformance.bench import Bench
from gigawatt.engine.local.datasets import Datasets
from gigawatt.engine.ray import RayEngine
from gigawatt.model.observation import NodeSeen
from tests.ray_cluster import RayCluster

NODES_S = 60.0  # for Ray to say that nodes are there
EPOCHS = itertools.count(1000, 1000)


def engine_of_cluster(ray: RayCluster, archive: Path | None = None) -> RayEngine:
    """One that can lay out bundles and data."""
    return RayEngine(
        ray.data,
        ray.cluster,
        unpack=unpack,
        archive=(lambda _: archive) if archive else None,
        datasets=Datasets(ray.data, _lay),
    )


@asynccontextmanager
async def leading(ray: RayCluster, archive: Path | None = None) -> AsyncGenerator[Bench, None]:
    """A bench that leads; what it launched is stopped at the end."""
    await meet(ray)
    bench = Bench(
        lambda: engine_of_cluster(ray, archive),
        faults=Faults(),
        epoch=next(EPOCHS),
        scratch=ray.data,
        tag=os.urandom(4).hex(),
    )
    await bench.start("test")
    try:
        yield bench
    finally:
        await bench.finish()


async def meet(ray: RayCluster) -> None:
    """Until an engine has met every node, and has it on record."""
    engine = engine_of_cluster(ray)
    await engine.open(epoch=next(EPOCHS))
    try:
        await engine.adopt()
        missing = set(ray.alive) - {report.id for report in await engine.nodes()}
        async with asyncio.timeout(NODES_S):
            seen = engine.observe()
            while missing:
                told = await anext(seen)
                if isinstance(told, NodeSeen):
                    missing.discard(told.report.id)
    finally:
        await engine.close()


def _lay(digest: str, target: Path) -> Path:
    """Whatever the digest, the same words."""
    if not target.exists() and digest:
        (target / "a").mkdir(parents=True)
        (target / "a" / "words").write_text("words")
    return target
