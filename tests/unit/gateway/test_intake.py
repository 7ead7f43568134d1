from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatt.gateway.intake import Intake, content_expected
from gigawatt.gateway.limits import Limits
from gigawatt.gateway.request import Request

LIMITS = Limits(head_bytes=1000, target_bytes=100, headers=8, pipelined=4, body_bytes=50)
POST = b"POST /v1/completions?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nA: 1\r\na: 2\r\n\r\nhello"
CHUNKED = b"POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;e=f\r\nllo\r\n0\r\nT: x\r\n\r\n"
UPGRADE = b"POST /u HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 5\r\n\r\nhello"
GET = b"GET /g HTTP/1.1\r\nhost: x\r\n\r\n"
CLOSE = b"GET /g HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
OLD = b"GET /g HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"


def fed(*pieces: bytes, limits: Limits = LIMITS) -> Intake:
    intake = Intake(limits)
    for piece in pieces:
        intake.feed(piece, 1.5)
    return intake


def taken(intake: Intake) -> list[Request]:
    return [request for _ in range(len(intake)) if (request := intake.take()) is not None]


def seen(request: Request) -> tuple[object, ...]:
    body = b"".join(request.parts)
    return (
        request.method,
        request.target,
        body,
        request.version,
        request.keep_alive,
        request.refusal,
    )


def fault(intake: Intake) -> int:
    assert intake.fault is not None
    return intake.fault.status


def refusal(intake: Intake) -> int:
    request = intake.take() or intake.partial
    assert request is not None
    assert request.refusal is not None
    return request.refusal.status


def test_a_request_is_read_whole() -> None:
    (request,) = taken(fed(POST))
    assert seen(request) == (b"POST", b"/v1/completions?a=b", b"hello", "1.1", True, None)
    assert request.headers == [
        (b"host", b"x"),
        (b"content-length", b"5"),
        (b"a", b"1"),
        (b"a", b"2"),
    ]
    assert (request.fields[b"a"], request.body_bytes, request.started_s) == (b"2", 5, 1.5)


def test_trailers_are_no_headers() -> None:
    (request,) = taken(fed(CHUNKED))
    assert [name for name, _ in request.headers] == [b"host", b"transfer-encoding"]
    assert b"".join(request.parts) == b"hello"


def test_who_wants_the_connection_closed() -> None:
    assert [request.keep_alive for request in taken(fed(GET, CLOSE))] == [True, False]
    assert [request.keep_alive for request in taken(fed(OLD))] == [False]


def test_a_partial_request_says_how_much_is_missing() -> None:
    intake = fed(POST[:-2])
    assert intake.partial is not None
    assert intake.partial.head_complete
    assert content_expected(intake.partial) == 2
    chunked = fed(CHUNKED[:-20]).partial
    assert chunked is not None
    assert content_expected(chunked) == -1


messages = st.lists(st.sampled_from([POST, CHUNKED, UPGRADE, GET]), min_size=1, max_size=4)


@given(messages=messages, cuts=st.lists(st.integers(0, 500), max_size=20))
def test_how_the_bytes_are_cut_makes_no_difference(messages: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(messages)
    places = sorted({min(cut, len(whole)) for cut in [0, *cuts, len(whole)]})
    pieces = [whole[start:end] for start, end in pairwise(places)]
    alone = [seen(taken(fed(message))[0]) for message in messages]
    assert [seen(request) for request in taken(fed(*pieces))] == alone


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_bytes_are_requests_or_one_fault(pieces: list[bytes]) -> None:
    intake = fed(*pieces)
    assert intake.fault is None or intake.fault.status == 400


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /g HTTP/1.1\r\n\r\n", 400),
        (b"GET /g\r\n\r\n", 505),
        (b"GET /" + b"x" * 101 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414),
        (b"GET /g HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 8 + b"\r\n", 431),
        (b"GET /g HTTP/1.1\r\nhost: x\r\na: " + b"b" * 1000 + b"\r\n\r\n", 431),
        (b"POST /c HTTP/1.1\r\nhost: x\r\ncontent-length: 51\r\n\r\n", 413),
        (CHUNKED.replace(b"2\r\nhe\r\n", b"33\r\n" + b"x" * 51 + b"\r\n"), 413),
    ],
)
def test_a_request_beyond_a_limit_carries_its_refusal(data: bytes, status: int) -> None:
    assert refusal(fed(data)) == status


def test_what_is_too_large_is_not_kept() -> None:
    head = b"POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    intake = fed(head, *[b"a\r\n" + b"x" * 10 + b"\r\n"] * 20)
    assert intake.partial is not None
    assert (intake.partial.parts, intake.partial.body_bytes) == ([], 200)


@pytest.mark.parametrize("piece", [b"a: b\r\n", b"x" * 10])
def test_a_head_without_end_is_a_fault(piece: bytes) -> None:
    pieces = [b"GET /g HTTP/1.1\r\nhost: x\r\n", *[piece] * 200]
    assert fault(fed(*pieces, limits=replace(LIMITS, headers=1000))) == 431


@pytest.mark.parametrize("cut", [20, 400, 999, 1100])
def test_a_head_is_too_large_wherever_it_is_cut(cut: int) -> None:
    head = b"GET /g HTTP/1.1\r\nhost: x\r\na: %b\r\n\r\n" % (b"b" * 1100)
    intake = fed(head[:cut], head[cut:])
    assert intake.fault is not None or refusal(intake) == 431


def test_a_head_after_a_large_body_is_judged_alone() -> None:
    limits = replace(LIMITS, body_bytes=5000)
    body = b"POST /c HTTP/1.1\r\nhost: x\r\ncontent-length: 3000\r\n\r\n" + b"x" * 3000
    intake = fed(body + GET[:10], GET[10:], limits=limits)
    assert [request.refusal for request in taken(intake)] == [None, None]
    assert intake.fault is None


def test_requests_sent_far_ahead_are_a_fault_after_those_that_fit() -> None:
    intake = fed(GET * 10)
    assert len(taken(intake)) == 4
    assert fault(intake) == 400


def test_requests_before_a_malformed_one_are_read() -> None:
    intake = fed(GET + b"SPAM\r\n\r\n")
    assert len(taken(intake)) == 1
    assert fault(intake) == 400


def test_after_a_fault_nothing_is_read() -> None:
    intake = fed(b"SPAM\r\n\r\n", GET)
    assert len(intake) == 0


def test_a_tunnel_is_a_request_after_which_nothing_is_read_as_one() -> None:
    intake = fed(b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n\x16\x03\x01")
    (request,) = taken(intake)
    assert (request.method, request.keep_alive) == (b"CONNECT", False)


def test_dropping_returns_what_was_read_and_not_taken() -> None:
    intake = fed(GET + POST[:-1])
    assert [request.complete for request in intake.drop()] == [True, False]
    assert (len(intake), intake.partial) == (0, None)
