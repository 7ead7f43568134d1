"""Committed events, handed to whoever watches. A watcher that is too slow is let go and resumes from the store."""

import asyncio
from collections.abc import AsyncIterator, Iterable

from gigawatt.model.event import Event

BUFFER_MAX = 1_000  # events that one watcher may be behind


class Watchers:
    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Event | None]] = set()

    def publish(self, events: Iterable[Event]) -> None:
        """Hand events on; never waits."""
        for event in events:
            for queue in tuple(self._queues):
                if queue.qsize() >= BUFFER_MAX:
                    self._queues.discard(queue)
                    queue.put_nowait(None)
                else:
                    queue.put_nowait(event)

    def close(self) -> None:
        """End every watch."""
        for queue in tuple(self._queues):
            queue.put_nowait(None)
        self._queues.clear()

    def subscribe(self) -> AsyncIterator[Event]:
        """Events committed from this call on; ends when the watcher fell behind or the leader stops."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._queues.add(queue)
        return self._events(queue)

    async def _events(self, queue: asyncio.Queue[Event | None]) -> AsyncIterator[Event]:
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._queues.discard(queue)
