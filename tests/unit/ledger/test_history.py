"""The ledger laid out over time: nothing is lost, nothing is below zero, and what was lost is taken back in time."""

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.ledger.history import Piece, laid_out
from gigawatt.model.ledger import TimeClass


def piece(end_ms: int, span_ms: int, unit_ms: int, into: TimeClass = TimeClass.USEFUL) -> Piece:
    return Piece(end_ms=end_ms, span_ms=span_ms, time_class=into, unit_ms=unit_ms)


def of(spans: tuple[dict[TimeClass, int], ...], time_class: TimeClass) -> list[int]:
    return [span[time_class] for span in spans]


def test_a_piece_is_spread_over_the_spans_that_it_speaks_of() -> None:
    spans = laid_out([piece(1_250, 1_000, 1_000)], since_ms=0, step_ms=500, count=4)
    assert of(spans, TimeClass.USEFUL) == [250, 500, 250, 0]


def test_what_lies_before_the_first_span_is_left_out() -> None:
    spans = laid_out([piece(1_100, 1_000, 1_000)], since_ms=1_000, step_ms=500, count=2)
    assert of(spans, TimeClass.USEFUL) == [100, 0]


def test_work_that_was_lost_later_was_lost_when_it_was_done() -> None:
    done = [piece(500, 500, 500), piece(1_000, 500, 500)]
    moved = [piece(1_500, 500, -700), piece(1_500, 500, 700, TimeClass.REDONE)]
    spans = laid_out([*done, *moved], since_ms=0, step_ms=500, count=3)
    assert of(spans, TimeClass.USEFUL) == [300, 0, 0]
    assert of(spans, TimeClass.REDONE) == [200, 500, 0]


@given(
    st.lists(
        st.builds(
            piece,
            st.integers(1, 5_000),
            st.integers(0, 3_000),
            st.integers(0, 10**12),
            st.sampled_from(list(TimeClass)),
        ),
        max_size=20,
    ),
    st.integers(0, 10**12),
)
def test_all_that_lies_within_is_kept_and_nothing_is_below_zero(
    pieces: list[Piece], lost: int
) -> None:
    within = [each for each in pieces if each.end_ms - max(each.span_ms, 1) >= 0]
    total = sum(each.unit_ms for each in within)
    useful = sum(each.unit_ms for each in within if each.time_class is TimeClass.USEFUL)
    moved = min(lost, useful)
    moves = [piece(5_000, 1, -moved), piece(5_000, 1, moved, TimeClass.REDONE)]
    spans = laid_out([*within, *moves], since_ms=0, step_ms=500, count=10)
    assert sum(sum(span.values()) for span in spans) == total
    assert all(amount >= 0 for span in spans for amount in span.values())
    assert sum(of(spans, TimeClass.USEFUL)) == useful - moved
