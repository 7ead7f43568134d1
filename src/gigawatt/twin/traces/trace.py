"""A trace that has been read: work in the order of its times, and how much of the file was none."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gigawatt.twin.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """`skipped` entries never ran, so they are no work; times count from the first that did."""

    works: tuple[Work, ...]
    skipped: int = 0


def in_order(works: Iterable[Work], *, jobs_max: int) -> tuple[Work, ...]:
    """By time, then as they stood in the file; the first `jobs_max` of them, 0 for all. The first comes at 0."""
    ordered = sorted(works, key=lambda work: work.at_ms)
    ordered = ordered[:jobs_max] if jobs_max else ordered
    first_ms = ordered[0].at_ms if ordered else 0
    if first_ms:
        ordered = [replace(work, at_ms=work.at_ms - first_ms) for work in ordered]
    return tuple(ordered)
