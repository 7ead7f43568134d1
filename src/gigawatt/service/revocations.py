"""Revoked keys: what was opened with one, and stays open, is told and ends."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

KNOWN_MAX = 10_000  # revoked keys that are remembered for what is only being opened


class Revocations:
    """Of this process. `tell` it once a revocation is committed."""

    def __init__(self) -> None:
        self._open: dict[str, list[asyncio.Event]] = {}
        self._revoked: OrderedDict[str, None] = OrderedDict()

    def tell(self, key: str) -> None:
        """The key of this id is revoked."""
        self._revoked[key] = None
        if len(self._revoked) > KNOWN_MAX:
            self._revoked.popitem(last=False)
        self.end(key)

    def restore(self, key: str) -> None:
        """The key of this id is good again."""
        self._revoked.pop(key, None)

    def end(self, key: str) -> None:
        """What is open on behalf of this key ends, and may be opened again."""
        for event in self._open.get(key, ()):
            event.set()

    @contextmanager
    def watch(self, key: str) -> Generator[asyncio.Event]:
        """An event that is set as soon as the key of this id is revoked. Callers without a key have the id ""."""
        event = asyncio.Event()
        if key in self._revoked:
            event.set()
        self._open.setdefault(key, []).append(event)
        try:
            yield event
        finally:
            self._open[key].remove(event)
            if not self._open[key]:
                del self._open[key]


async def while_good(
    revocations: Revocations, key: str, items: AsyncIterator[T]
) -> AsyncGenerator[T]:
    """What `items` gives, to its end or until the key is revoked."""
    with revocations.watch(key) as revoked:
        ending = asyncio.create_task(revoked.wait())
        step: asyncio.Task[T] | None = None
        try:
            while True:
                step = asyncio.create_task(_next(items))
                await asyncio.wait({step, ending}, return_when=asyncio.FIRST_COMPLETED)
                if ending.done():
                    return
                yield step.result()
        except _OverError:
            return
        finally:
            await _let_go(ending, step)
            close = getattr(items, "aclose", None)  # generators have it, other iterators need not
            if close is not None:
                await close()


class _OverError(Exception):
    """There is nothing more: a task cannot end with StopAsyncIteration."""


async def _next(items: AsyncIterator[T]) -> T:
    try:
        return await anext(items)
    except StopAsyncIteration:
        raise _OverError from None


async def _let_go(*tasks: "asyncio.Task[Any] | None") -> None:
    held = [task for task in tasks if task is not None]
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
