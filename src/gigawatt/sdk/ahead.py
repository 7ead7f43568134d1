"""Results in order, of which several are worked out at once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(
    threads: ThreadPoolExecutor, calls: Iterable[Callable[[], T]], *, count: int
) -> Iterator[T]:
    """What each call gives, `count` of them under way. What has not begun when nobody goes on is left."""
    coming: deque[Future[T]] = deque()
    try:
        for call in calls:
            coming.append(threads.submit(call))
            if len(coming) == count:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        for each in coming:
            each.cancel()
