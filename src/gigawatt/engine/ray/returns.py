"""What ranks write on the disks of nodes without our file system, brought back: checkpoints at once, the rest when asked."""

import asyncio
import logging
from collections.abc import Iterable

from gigawatt.engine.local.link import LinkLostError, RefusedError
from gigawatt.engine.ray.fleet import Fleet
from gigawatt.engine.ray.trees import Trees

log = logging.getLogger(__name__)

AT_ONCE = 4  # checkpoints on their way
FAILURES = (OSError, LinkLostError, RefusedError)


class Returns:
    def __init__(self, fleet: Fleet, trees: Trees) -> None:
        self._fleet = fleet
        self._trees = trees
        self._few = asyncio.Semaphore(AT_ONCE)
        self._coming: dict[str, set[asyncio.Task[str]]] = {}

    async def close(self) -> None:
        tasks = [task for some in self._coming.values() for task in some]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def far(self, nodes: Iterable[str]) -> list[str]:
        """Those that do not see our file system."""
        known = (node for node in nodes if node in self._fleet.specs)
        return [node for node in known if not self._fleet.facts(node).shared]

    def saved(self, nodes: Iterable[str], path: str) -> None:
        """A gang on these nodes has a checkpoint there: have it here before any of them is lost."""
        for node in self.far(nodes):
            task = asyncio.create_task(self._brought(node, path))
            self._coming.setdefault(path, set()).add(task)
            task.add_done_callback(lambda done: self._done(path, done))

    async def settled(self, path: str) -> None:
        """Nothing of it is on its way any more."""
        await asyncio.gather(*self._coming.get(path, ()), return_exceptions=True)

    async def fetch(self, *paths: str) -> str:
        """Have these here, from whatever nodes have them; why one of them failed, "" where none did."""
        nodes = self.far(self._fleet.up)
        for path in paths:
            faults = await asyncio.gather(*(self._brought(node, path) for node in nodes))
            if any(faults):
                return next(filter(None, faults))
        return ""

    async def remove(self, within: str, paths: tuple[str, ...]) -> None:
        """Gone here, they are to go there too; nodes that do not answer keep theirs."""
        for path in paths:
            for task in tuple(self._coming.get(path, ())):
                task.cancel()
        nodes = self.far(self._fleet.up)
        await self._fleet.tell(nodes, "tree-remove", within=within, paths=paths)

    async def _brought(self, node: str, path: str) -> str:
        async with self._few:
            try:
                await self._trees.bring(node, path)
            except FAILURES as error:
                log.warning("%s was not brought from node %s: %s", path, node, error)
                return f"node {node}: {error}"
            return ""

    def _done(self, path: str, task: asyncio.Task[str]) -> None:
        some = self._coming[path]
        some.discard(task)
        if not some:
            del self._coming[path]
