"""The line of requests that wait for a replica: the most urgent first, then who came first, and bounded."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Line(Generic[T]):
    """Tickets are compared by identity or by their own equality; each stands in line once."""

    __slots__ = ("_queues", "_urgency", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._queues: dict[int, OrderedDict[T, None]] = {}  # by urgency, the most urgent first
        self._urgency: dict[T, int] = {}

    def __len__(self) -> int:
        return len(self._urgency)

    def __iter__(self) -> Iterator[T]:
        """In order, as they stand now."""
        return iter(tuple(ticket for queue in self._queues.values() for ticket in queue))

    def join(self, ticket: T, urgency: int = 0) -> int | None:
        """The position taken, from 1; None when the line is full."""
        if len(self) >= self.limit:
            return None
        self._stand(ticket, urgency)
        return sum(len(queue) for each, queue in self._queues.items() if each >= urgency)

    def rejoin(self, ticket: T, urgency: int = 0) -> None:
        """To the front of its urgency, for one that had its turn and lost its replica; the limit does not turn it away."""
        self._stand(ticket, urgency).move_to_end(ticket, last=False)

    def leave(self, ticket: T) -> bool:
        """Whether it was in line."""
        urgency = self._urgency.pop(ticket, None)
        if urgency is None:
            return False
        queue = self._queues[urgency]
        del queue[ticket]
        if not queue:
            del self._queues[urgency]
        return True

    def first(self) -> T | None:
        return next((next(iter(queue)) for queue in self._queues.values()), None)

    def take(self) -> T:
        """The first one, which leaves the line. Someone must be in it."""
        ticket = self.first()
        assert ticket is not None
        self.leave(ticket)
        return ticket

    def displace(self, urgency: int) -> T | None:
        """The last of the least urgent, if less urgent than that: it leaves the line."""
        if not self._queues:
            return None
        least = min(self._queues)
        if least >= urgency:
            return None
        ticket = next(reversed(self._queues[least]))
        self.leave(ticket)
        return ticket

    def empty(self) -> list[T]:
        """Everyone, in order; the line is empty after."""
        tickets = [ticket for queue in self._queues.values() for ticket in queue]
        self._queues.clear()
        self._urgency.clear()
        return tickets

    def _stand(self, ticket: T, urgency: int) -> OrderedDict[T, None]:
        assert ticket not in self._urgency
        self._urgency[ticket] = urgency
        queue = self._queues.get(urgency)
        if queue is None:
            queue = self._queues[urgency] = OrderedDict()
            self._queues = dict(sorted(self._queues.items(), reverse=True))
        queue[ticket] = None
        return queue
