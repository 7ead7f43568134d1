"""What is to happen, by virtual time. What is due at the same time comes in the order in which it was added."""

import heapq
from typing import Generic, TypeVar

T = TypeVar("T")


class Events(Generic[T]):
    """A queue of events; `take` empties it up to a time."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, T]] = []
        self._added = 0

    def add(self, at_ms: int, event: T) -> None:
        heapq.heappush(self._heap, (at_ms, self._added, event))
        self._added += 1

    def take(self, now_ms: int) -> list[T]:
        """Everything that is due by `now_ms`, earliest first."""
        taken: list[T] = []
        while self._heap and self._heap[0][0] <= now_ms:
            taken.append(heapq.heappop(self._heap)[2])
        return taken

    @property
    def next_ms(self) -> int | None:
        return self._heap[0][0] if self._heap else None
