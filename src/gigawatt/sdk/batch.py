"""Many calls of one function: `fn.map(...)` gives one of these."""

from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import wait
from typing import TYPE_CHECKING, Generic, TypeVar

from gigawatt import clock

if TYPE_CHECKING:
    from gigawatt.sdk.futures import Future

R = TypeVar("R")


class Batch(Generic[R]):
    """Results in the order of the items: `for`, `async for` and `results()` wait for them. `futures` has each one."""

    def __init__(self, futures: "Sequence[Future[R]]") -> None:
        self.futures = tuple(futures)

    def __len__(self) -> int:
        return len(self.futures)

    def __iter__(self) -> Iterator[R]:
        return (each.result() for each in self.futures)

    async def __aiter__(self) -> AsyncIterator[R]:
        for each in self.futures:
            yield await each

    def __repr__(self) -> str:
        return f"<Batch of {len(self)}, {sum(each.done() for each in self.futures)} done>"

    def results(self, timeout: float | None = None) -> list[R]:
        """All results, in the order of the items. Raises the first exception in that order, and TimeoutError."""
        until_s = None if timeout is None else clock.monotonic_s() + timeout
        return [
            each.result(None if until_s is None else max(0.0, until_s - clock.monotonic_s()))
            for each in self.futures
        ]

    def done(self) -> bool:
        """Whether every one is done."""
        return all(each.done() for each in self.futures)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of all, however they end; whether that came in time."""
        return not wait(self.futures, timeout).not_done

    def cancel(self) -> int:
        """Stop all that have not ended; how many that were. Raises ApiError, UnreachableError."""
        return sum(each.cancel() for each in self.futures if not each.done())

    def _repr_html_(self) -> str:
        from gigawatt.sdk.notebook import batch_html

        return batch_html(self)
