"""The line of requests that wait for a replica: first come, first served, and bounded."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Line(Generic[T]):
    """Tickets are compared by identity or by their own equality; each stands in line once."""

    __slots__ = ("_tickets", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._tickets: OrderedDict[T, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tickets)

    def __iter__(self) -> Iterator[T]:
        """In order, as they stand now."""
        return iter(tuple(self._tickets))

    def join(self, ticket: T) -> int | None:
        """The position taken, from 1; None when the line is full."""
        assert ticket not in self._tickets
        if len(self._tickets) >= self.limit:
            return None
        self._tickets[ticket] = None
        return len(self._tickets)

    def rejoin(self, ticket: T) -> None:
        """Back to the front, for one that had its turn and lost its replica; the limit does not turn it away."""
        assert ticket not in self._tickets
        self._tickets[ticket] = None
        self._tickets.move_to_end(ticket, last=False)

    def leave(self, ticket: T) -> bool:
        """Whether it was in line."""
        if ticket not in self._tickets:
            return False
        del self._tickets[ticket]
        return True

    def first(self) -> T | None:
        return next(iter(self._tickets), None)

    def take(self) -> T:
        """The first one, which leaves the line. Someone must be in it."""
        ticket, _ = self._tickets.popitem(last=False)
        return ticket

    def empty(self) -> list[T]:
        """Everyone, in order; the line is empty after."""
        tickets = list(self._tickets)
        self._tickets.clear()
        return tickets
