"""A cursor is good for the list it came from; anything else is refused with the field `cursor`."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigawatt.model.refusal import RefusalError
from gigawatt.store.base import Query
from gigawatt.store.cursor import read_cursor, write_cursor


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 1 << 62), st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_cursor_reads_as_it_was_written(created_ms: int, id: str) -> None:
    cursor = write_cursor("Job", Query(tenant="acme"), created_ms=created_ms, id=id)
    assert cursor.isascii()
    assert read_cursor("Job", Query(tenant="acme", cursor=cursor)) == (created_ms, id)


@pytest.mark.parametrize(
    "bad",
    [
        "x",
        "not a cursor",
        "%%%%",
        "ünïcode",
        encoded("[]"),
        encoded("{}"),
        encoded('["0123456789abcdef", 1]'),
        encoded('["0123456789abcdef", "1", "job-1"]'),
        encoded(f'["0123456789abcdef", {1 << 70}, "job-1"]'),
        encoded('["0123456789abcdef", NaN, "job-1"]'),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
def test_what_no_list_gave_is_refused(bad: str) -> None:
    with pytest.raises(RefusalError, match="cursor") as caught:
        read_cursor("Job", Query(cursor=bad))
    assert (caught.value.field, caught.value.status) == ("cursor", 422)
