"""Marks against a node: each is one failure that is laid to its charge, and how suspect they make it as they age."""

from collections.abc import Iterable
from dataclasses import dataclass

ONE = 1_000  # the weight of one failure that just happened
HALF_LIFE_MS = 24 * 3_600_000
MARKS_MAX = 16  # on one node; the oldest go first


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A gang's attempt failed here, and the first of its ranks to fail was this node's."""

    at_ms: int
    gang: str
    attempt: int
    program: str  # what runs of the same program have in common; "" where that is not known
    what: str  # the kind of the fact: signal, exit, hang, launch_failed, ...
    detail: str
    weight: int = ONE


def score(marks: Iterable[Mark], *, now_ms: int) -> int:
    """Failures in thousandths, each counting half after `HALF_LIFE_MS`."""
    return sum(_aged(mark, now_ms) for mark in marks)


def marked(marks: tuple[Mark, ...], mark: Mark) -> tuple[Mark, ...]:
    """With one more. One attempt marks a node once."""
    known = any((each.gang, each.attempt) == (mark.gang, mark.attempt) for each in marks)
    return marks if known else (*marks, mark)[-MARKS_MAX:]


def _aged(mark: Mark, now_ms: int) -> int:
    age_ms = max(now_ms - mark.at_ms, 0)
    return round(mark.weight * 0.5 ** (age_ms / HALF_LIFE_MS))
