"""Which replica takes a request.

Affine choices have bounded loads (Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA
2018): a replica that would have more than its share and a quarter of it is passed over, however well it fits.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Protocol, TypeVar

SHARE_PERCENT = 125  # of the mean load: more is too much for an affine choice


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


def longest_prefix(
    candidates: Iterable[C], matched: Mapping[str, int], *, name: bytes, concurrency: int
) -> C | None:
    """Of those with room and no more than their share, the one that has seen most of the prompt.

    `matched` is how many blocks each has seen, by id. Where none has seen any, and between equals, `name` decides,
    which is equal for prompts that begin alike: they meet again, also through another gateway.
    """
    with_room = _with_room(candidates, concurrency)
    if not any(candidate.id in matched for candidate in with_room):
        return by_name(with_room, name, concurrency=concurrency)
    return min(
        with_room,
        key=lambda each: (-matched.get(each.id, 0), each.in_flight, _score(name, each.id)),
        default=None,
    )


def by_name(candidates: Iterable[C], name: bytes, *, concurrency: int) -> C | None:
    """The same one for the same name as long as it has room and no more than its share (rendezvous hashing)."""
    return min(
        _with_room(candidates, concurrency), key=lambda each: _score(name, each.id), default=None
    )


def _with_room(candidates: Iterable[C], concurrency: int) -> list[C]:
    """Those below both their concurrency and their share; the share never leaves out all that have room."""
    there = list(candidates)
    total = sum(each.in_flight for each in there) + 1
    share = min(-(-total * SHARE_PERCENT // (100 * len(there))), concurrency) if there else 0
    return [each for each in there if each.in_flight < share]


def _score(name: bytes, candidate: str) -> bytes:
    return blake2b(name, key=candidate.encode()[:64], digest_size=8).digest()
