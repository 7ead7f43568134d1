"""The ledger over time: what is on record in lumps, laid out over equal spans.

An entry says how much time went into a class up to a moment, not from when. A node's entries of one moment sum to what
is installed times the span that they speak of, and so tell its length. Time that moved to another class later (work that
was lost after all) is taken back from the spans before it, as far as they reach.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gigawatt.model.ledger import TimeClass

Span = dict[TimeClass, int]

# What useful or idle serving time moves into when it turns out to have been something else.
MOVED_INTO = (TimeClass.REDONE, TimeClass.USER_FAULT, TimeClass.SERVING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """`unit_ms` of one class, spread evenly over the `span_ms` before `end_ms`."""

    end_ms: int
    span_ms: int
    time_class: TimeClass
    unit_ms: int


def laid_out(
    pieces: Iterable[Piece], *, since_ms: int, step_ms: int, count: int
) -> tuple[Span, ...]:
    """`count` spans of `step_ms` from `since_ms` on, each with the `unit_ms` of every class; none below zero."""
    spans: list[Span] = [dict.fromkeys(TimeClass, 0) for _ in range(count)]
    for piece in pieces:
        _lay(piece, spans, since_ms, step_ms)
    for index in range(count - 1, -1, -1):
        _take_back(spans[index], spans[index - 1] if index else None)
    return tuple(spans)


def _lay(piece: Piece, spans: list[Span], since_ms: int, step_ms: int) -> None:
    """Add a piece to each span that it touches, by how much of it lies there. The shares sum to what lies within."""
    end_ms = piece.end_ms - since_ms
    begin_ms = end_ms - max(piece.span_ms, 1)
    first = max(begin_ms // step_ms, 0)
    last = min(-(-end_ms // step_ms), len(spans))
    length_ms = end_ms - begin_ms
    for index in range(first, last):
        low_ms = max(begin_ms, index * step_ms)
        high_ms = min(end_ms, (index + 1) * step_ms)
        before = piece.unit_ms * (low_ms - begin_ms) // length_ms
        after = piece.unit_ms * (high_ms - begin_ms) // length_ms
        spans[index][piece.time_class] += after - before


def _take_back(span: Span, earlier: Span | None) -> None:
    """Move what is below zero into the span before, with what it was moved into; at the first span it is dropped."""
    for time_class in TimeClass:
        short = -span[time_class]
        if short <= 0:
            continue
        span[time_class] = 0
        for into in MOVED_INTO:
            part = min(short, span[into])
            span[into] -= part
            short -= part
            if earlier is not None:
                earlier[into] += part
                earlier[time_class] -= part
