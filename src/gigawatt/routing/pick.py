"""Which replica takes a request: the least loaded one that has room."""

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Candidate(Protocol):
    """A ready replica as routing sees it: its id, and the requests it is answering now."""

    @property
    def id(self) -> str: ...

    @property
    def in_flight(self) -> int: ...


C = TypeVar("C", bound=Candidate)


def least_in_flight(candidates: Iterable[C], *, concurrency: int) -> C | None:
    """The candidate with the fewest requests in flight, ties by id; None when all are at `concurrency`."""
    best: C | None = None
    best_load = concurrency
    for candidate in candidates:
        load = candidate.in_flight
        if load < best_load:
            best, best_load = candidate, load
        elif best is not None and load == best_load and candidate.id < best.id:
            best = candidate
    return best
