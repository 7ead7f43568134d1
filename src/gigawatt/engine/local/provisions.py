"""What a launch needs on its nodes before their supervisors are asked: the bundle, its data, and each node's part."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from gigawatt.clock import now_ms
from gigawatt.engine.local.bundles import Archive, Bundles, Unpack
from gigawatt.engine.local.datasets import Datasets, Tree
from gigawatt.engine.local.launching import Part
from gigawatt.engine.local.machine import ADDRESS, NodeSpec
from gigawatt.engine.local.outbox import Outbox
from gigawatt.engine.local.translate import Walls, key_of, nodes_of, stage_spec
from gigawatt.engine.local.walls import NO_WALLS, Builder, WallRules
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.observation import DataCached, LaunchPreparing
from gigawatt.model.volume import data_of

PREPARING_TOLD_EVERY_S = 10.0  # while data is on its way: less than a launch is given


class Provisions:
    """`data` is a directory that nodes see too. `unpack` is needed for bundles, and `datasets` that can lay out trees
    for data. `archive` has the bundles where they are not below `data`.
    """

    def __init__(  # noqa: PLR0913 - each is a part that it is given
        self,
        data: Path,
        outbox: Outbox,
        *,
        unpack: Unpack | None,
        archive: Archive | None,
        datasets: Datasets | None,
        api_url: str,
        walls: WallRules = NO_WALLS,
    ) -> None:
        self._bundles = Bundles(data, unpack, archive)
        self._datasets = datasets or Datasets(data)
        self._outbox = outbox
        self._api_url = api_url
        self._data = data
        self._walls = Builder(rules=walls, data=data)

    async def sweep(self) -> None:
        await asyncio.to_thread(self._datasets.sweep)

    def close(self) -> None:
        self._datasets.close()

    async def prepare(self, digests: tuple[str, ...]) -> None:
        """Have these bundles unpacked. Raises RefusalError."""
        for digest in digests:
            await asyncio.to_thread(self._bundles.prepare, digest)

    @asynccontextmanager
    async def parts(
        self, launch: Launch, specs: Mapping[str, NodeSpec], *, master_addr: str = ADDRESS
    ) -> AsyncGenerator[dict[str, Part]]:
        """Each node's part, in rank order, with all of it there; its data stays until this is over. Raises RefusalError."""
        told = self._walls.of(launch)
        walls = Walls(facts=told, ours=str(self._data.resolve()))
        template = ""
        if launch.bundle:
            template = str(await asyncio.to_thread(self._bundles.prepare, launch.bundle))
        if self._api_url:
            launch = replace(launch, env=(*launch.env, ("GIGAWATT_API", self._api_url)))
        nodes, data = nodes_of(launch), data_of(launch.volumes)
        trees = [
            Tree(node=node, digest=digest, size_bytes=size)
            for node in nodes
            for digest, size in data
        ]
        with self._datasets.wanted(trees):
            places = await self._fetched(key_of(launch), trees)
            yield {
                node: stage_spec(
                    launch,
                    specs[node],
                    template=template,
                    sources={
                        each.volume: each.source or str(places[node, each.digest])
                        for each in launch.volumes
                    },
                    master_addr=master_addr,
                    walls=walls,
                )
                for node in nodes
            }

    async def cached(self, node: str) -> DataCached:
        return await asyncio.to_thread(self.told, node)

    def told(self, node: str) -> DataCached:
        """What data a node keeps. Blocks."""
        return DataCached(at_ms=now_ms(), node=node, digests=self._datasets.kept(node))

    async def _fetched(self, key: AttemptKey, trees: list[Tree]) -> dict[tuple[str, str], Path]:
        """Where the trees are, by node and digest, once all are there; that it goes on is told meanwhile."""
        if not trees:
            return {}
        fetching = asyncio.gather(*(self._datasets.fetch(tree) for tree in trees))
        while not (await asyncio.wait({fetching}, timeout=PREPARING_TOLD_EVERY_S))[0]:
            self._outbox.put(LaunchPreparing(at_ms=now_ms(), key=key))
        places = await fetching
        for node in dict.fromkeys(tree.node for tree in trees):
            self._outbox.put(await self.cached(node))
        return {(tree.node, tree.digest): place for tree, place in zip(trees, places, strict=True)}
