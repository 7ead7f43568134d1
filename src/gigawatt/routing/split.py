"""Which of several that serve one name takes a request, by weights: canaries and A/B tests."""

from collections.abc import Sequence
from hashlib import blake2b

GOLDEN = 0.6180339887498949  # steps of it spread over [0, 1) as evenly as any can


def pick(weights: Sequence[int], point: float) -> int:
    """The index of the share that `point`, in [0, 1), falls into. Where none weighs anything, the first."""
    assert weights
    total = sum(weights)
    at = point * total
    for index, weight in enumerate(weights):
        at -= weight
        if at < 0:
            return index
    return 0


def in_turn(weights: Sequence[int], point: float) -> list[int]:
    """The share that `point` falls into, and who takes what it cannot: those that weigh at least as much, heaviest first.

    So a canary that is full gives to the old revision, and never the other way round.
    """
    first = pick(weights, point)
    others = [n for n, weight in enumerate(weights) if n != first and weight >= weights[first]]
    return [first, *sorted(others, key=lambda n: (-weights[n], n))]


def point_of_name(name: bytes) -> float:
    """The same for the same name, so that a session stays on its side; names together are spread evenly."""
    return int.from_bytes(blake2b(name, digest_size=6).digest()) / (1 << 48)


def point_of_count(count: int) -> float:
    """Of the n-th request: any run of them is shared out by weight, to within a few."""
    return count * GOLDEN % 1.0
