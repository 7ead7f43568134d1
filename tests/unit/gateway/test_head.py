from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st

from gigawatt.gateway.head import (
    NOT_TO_CLIENT,
    NOT_TO_REPLICA,
    chunk,
    http_date,
    passing,
    request_head,
    status_line,
)


def test_a_request_to_a_replica_is_the_clients_without_what_ends_here() -> None:
    headers = [
        (b"host", b"gateway"),
        (b"authorization", b"Bearer secret"),
        (b"content-length", b"99"),
        (b"accept", b"a"),
        (b"accept", b"b"),
        (b"x-gigawatt-replica", b"forged"),
    ]
    head = request_head(b"/v1/x?y", headers, host=b"h:1", request_id=b"i", length=3)
    assert head == (
        b"POST /v1/x?y HTTP/1.1\r\nhost: h:1\r\nx-request-id: i\r\n"
        b"accept: a\r\naccept: b\r\ncontent-length: 3\r\n\r\n"
    )


def test_headers_that_a_connection_header_names_stay_behind() -> None:
    headers = [
        (b"connection", b"Keep-Alive, X-One"),
        (b"connection", b"x-two"),
        (b"x-one", b"1"),
        (b"x-two", b"2"),
        (b"x-three", b"3"),
        (b"keep-alive", b"timeout=5"),
    ]
    assert passing(headers, NOT_TO_CLIENT) == [b"x-three: 3\r\n"]
    assert passing(headers, NOT_TO_REPLICA) == [b"x-three: 3\r\n"]


def test_statuses_have_their_phrase_or_none() -> None:
    assert status_line(429) == b"HTTP/1.1 429 Too Many Requests\r\n"
    assert status_line(299) == b"HTTP/1.1 299 \r\n"


def test_a_chunk_states_its_length_in_hex() -> None:
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_dates_are_as_the_standard_library_writes_them(now_ms: int) -> None:
    assert http_date(now_ms).decode() == formatdate(now_ms // 1000, usegmt=True)
