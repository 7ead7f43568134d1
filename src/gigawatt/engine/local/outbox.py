"""What was seen and is to be told, in order; of a rank's progress only the newest waits."""

import asyncio
from collections.abc import AsyncIterator, Hashable

from gigawatt.model.observation import Observation, RankProgress


class Outbox:
    """One reader. It may be slow: all but progress is bounded by the number of attempts."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, Observation] = {}
        self._count = 0
        self._some = asyncio.Event()
        self._closed = False

    def put(self, *observations: Observation) -> None:
        for seen in observations:
            self._count += 1
            name: Hashable = self._count
            if isinstance(seen, RankProgress):
                name = (seen.key, seen.rank)
                self._waiting.pop(name, None)
            self._waiting[name] = seen
        self._some.set()

    def take_all(self) -> list[Observation]:
        waiting, self._waiting = self._waiting, {}
        return list(waiting.values())

    def close(self) -> None:
        """Readers end when they have read what waits."""
        self._closed = True
        self._some.set()

    async def drain(self) -> AsyncIterator[Observation]:
        while True:
            await self._some.wait()
            self._some.clear()
            for seen in self.take_all():
                yield seen
            if self._closed and not self._waiting:
                return
