"""Lines out of pieces, and patterns in them."""

import pytest

from gigawatt.model.refusal import RefusalError
from gigawatt.service.lines import LINE_BYTES_MAX, LogLine, LogLines
from gigawatt.service.patterns import PATTERN_CHARS_MAX, Pattern


def line(text: bytes, offset: int, *, attempt: int = 1) -> LogLine:
    return LogLine(attempt=attempt, offset=offset, line=text)


def test_a_line_may_come_in_pieces_and_says_where_the_next_begins() -> None:
    held = LogLines()
    assert held.take(1, 0, b"one\ntw") == (line(b"one", 4),)
    assert held.take(1, 6, b"o\r\n\n") == (line(b"two", 9), line(b"", 10))
    assert held.rest() == ()


def test_a_gap_or_another_attempt_ends_a_line() -> None:
    held = LogLines()
    held.take(1, 0, b"cut")
    assert held.take(1, 90, b"on\nnew") == (line(b"cut", 3), line(b"on", 93))
    assert held.take(2, 0, b"a\n") == (line(b"new", 96), line(b"a", 2, attempt=2))


def test_a_line_over_the_limit_is_told_in_pieces() -> None:
    held = LogLines()
    long = b"x" * (LINE_BYTES_MAX + 5)
    first, second = held.take(1, 0, long + b"\n")
    assert (len(first.line), first.offset) == (LINE_BYTES_MAX, LINE_BYTES_MAX)
    assert (second.line, second.offset) == (b"xxxxx", len(long) + 1)
    assert held.take(1, len(long) + 1, long)[0].offset == len(long) + 1 + LINE_BYTES_MAX
    assert held.rest() == ()


def test_a_pattern_finds_what_it_is_for() -> None:
    lines = (line(b"loss 1.5", 9), line(b"step \xff 3", 18), line(b"loss nan", 27))
    assert Pattern(r"loss (nan|inf)").among(lines) == lines[2:]
    assert Pattern("^step").among(lines) == lines[1:2]


@pytest.mark.parametrize(("text", "character"), [("a(b", 4), ("*a", 1), ("[z-a]", 5)])
def test_what_is_wrong_with_a_pattern_is_told_with_its_place(text: str, character: int) -> None:
    with pytest.raises(RefusalError, match=f"wrong at character {character}: ") as refused:
        Pattern(text)
    assert refused.value.field == "grep"
    assert "▸" in refused.value.hint


def test_a_pattern_that_takes_too_long_is_refused() -> None:
    with pytest.raises(RefusalError, match="takes more than 2 s on one line"):
        Pattern(r"(a|aa)+$").among([line(b"a" * 90 + b"b", 0)])
    with pytest.raises(RefusalError, match=f"limit of {PATTERN_CHARS_MAX}"):
        Pattern("a" * (PATTERN_CHARS_MAX + 1))
