"""Waiting in streams: for the next committed event, for a while, or for the end of the process."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from gigawatt.model.event import Event
from gigawatt.service.services import Services

T = TypeVar("T")


class Feed:
    """The leader's events, taken with a timeout. `lost` is set when some may have been missed."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._events = services.leader.subscribe()
        self._next: asyncio.Task[Event | None] | None = None
        self.lost = False

    @property
    def closing(self) -> bool:
        """Whether the stream must end: the process does, or does not lead any more."""
        return self._services.closing.is_set() or not self._services.leader.ready

    async def take(self, timeout_s: float) -> Event | None:
        """The next event, or None when there was none in that time. Sets `lost` where the feed began anew."""
        if self._next is None:
            self._next = asyncio.create_task(_next(self._events))
        if not self._next.done():
            closing = asyncio.create_task(self._services.closing.wait())
            try:
                await asyncio.wait(
                    {self._next, closing},
                    timeout=timeout_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                closing.cancel()
        if not self._next.done():
            return None
        event, self._next = self._next.result(), None
        if event is None and not self.closing:
            self._events = self._services.leader.subscribe()
            self.lost = True
        return event

    async def take_until(self, wanted: Callable[[Event], bool], timeout_s: float) -> bool:
        """Whether an event that is `wanted` came, or may have come, in that time; others are passed over."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        while not self.closing and (left_s := deadline_s - loop.time()) > 0:
            event = await self.take(left_s)
            if (event is not None and wanted(event)) or self.lost:
                self.lost = False
                return True
        return False

    async def close(self) -> None:
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait({self._next})
        let_go = getattr(
            self._events, "aclose", None
        )  # generators have it, other iterators need not
        if let_go is not None:
            await let_go()


@asynccontextmanager
async def feed(services: Services) -> AsyncGenerator[Feed]:
    """A feed that is let go at the end."""
    opened = Feed(services)
    try:
        yield opened
    finally:
        await opened.close()


async def pause(services: Services, seconds: float) -> bool:
    """Wait; whether the process is ending."""
    try:
        async with asyncio.timeout(seconds):
            await services.closing.wait()
    except TimeoutError:
        return False
    return True


async def _next(events: AsyncIterator[Event]) -> Event | None:
    async for event in events:
        return event
    return None
