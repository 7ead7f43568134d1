"""What no client should send, while others are served: each is told in OpenAI's shape, and nobody else is disturbed."""

import json
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import openai
import pytest

from gigawatt.gateway.limits import Limits
from tests.contract.gateway.site import (
    ASK,
    CHAT,
    KEY,
    KEYS,
    MESSAGES,
    OTHER_KEY,
    PATIENCE_S,
    Site,
    endpoint,
    key,
    post,
)

pytestmark = pytest.mark.slow

MIB = 1 << 20
START = f"POST {CHAT} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {KEY}\r\n".encode()
JSON = b"content-type: application/json\r\n"
PROJECT_KEY = "sk-of-another-project"

ABUSES: dict[str, tuple[Callable[[], Iterator[bytes]], int, str]] = {
    "a body of 100 MB": (
        lambda: iter([START + b"content-length: 104857600\r\n\r\n", *[b"x" * MIB] * 100]),
        413,
        "request_too_large",
    ),
    "a body of 100 MB in chunks": (
        lambda: iter(
            [START + b"transfer-encoding: chunked\r\n\r\n"]
            + [b"100000\r\n" + b"x" * MIB + b"\r\n"] * 100
        ),
        413,
        "request_too_large",
    ),
    "chunks that are none": (
        lambda: iter([START + b"transfer-encoding: chunked\r\n\r\n", b"spam\r\neggs\r\n"]),
        400,
        "malformed_request",
    ),
    "a chunk longer than it says": (
        lambda: iter([START + b"transfer-encoding: chunked\r\n\r\n", b"3\r\nabcdef\r\n0\r\n\r\n"]),
        400,
        "malformed_request",
    ),
    "a length and chunks": (
        lambda: iter([START + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"]),
        400,
        "malformed_request",
    ),
    "a flood of headers": (
        lambda: iter([START, *[b"x-flood: 1\r\n"] * 100_000]),
        431,
        "headers_too_large",
    ),
    "one header of a megabyte": (
        lambda: iter([START + b"x-flood: ", *[b"a" * 65_536] * 16]),
        431,
        "headers_too_large",
    ),
    "more headers than there may be": (
        lambda: iter([START + b"x: 1\r\n" * 200 + b"content-length: 2\r\n\r\n{}"]),
        431,
        "headers_too_large",
    ),
    "a body that is not UTF-8": (
        lambda: iter([post(CHAT, b'{"model": "\xff\xfe"}')]),
        400,
        "invalid_utf8",
    ),
    "JSON that is cut off": (
        lambda: iter([post(CHAT, b'{"model": "tiny-gpt", "messages": [')]),
        400,
        "invalid_json",
    ),
    "JSON nested a million deep": (
        lambda: iter([post(CHAT, b"[" * 1_000_000)]),
        400,
        "invalid_json",
    ),
    "another content type": (
        lambda: iter(
            [
                START
                + b"content-type: application/x-www-form-urlencoded\r\ncontent-length: 2\r\n\r\n{}"
            ]
        ),
        415,
        "unsupported_media_type",
    ),
    "a compressed body": (
        lambda: iter([START + JSON + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}"]),
        415,
        "unsupported_encoding",
    ),
    "a model that is not there": (
        lambda: iter([post(CHAT, {**ASK, "model": "gpt-9"})]),
        404,
        "model_not_found",
    ),
    "another tenant's key": (
        lambda: iter([post(CHAT, ASK, api_key=OTHER_KEY)]),
        404,
        "model_not_found",
    ),
    "another project's key": (
        lambda: iter([post(CHAT, ASK, api_key=PROJECT_KEY)]),
        404,
        "model_not_found",
    ),
    "a key that is none": (
        lambda: iter([post(CHAT, ASK, api_key="sk-nobody")]),
        401,
        "invalid_api_key",
    ),
    "two lengths": (
        lambda: iter([START + b"content-length: 5\r\ncontent-length: 6\r\n\r\n{}"]),
        400,
        "malformed_request",
    ),
}


@contextmanager
def busy(site: Site) -> Generator[None]:
    """Somebody is served all the while; every one of the requests must be answered."""
    stop = threading.Event()
    wrong: list[Exception] = []

    def ask() -> None:
        with site.openai() as client:
            while not stop.is_set():
                try:
                    reply = client.chat.completions.create(model="tiny-gpt", messages=MESSAGES)
                    assert reply.choices[0].message.content == "one two three four"
                except (openai.APIError, AssertionError) as error:
                    wrong.append(error)
                    return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert wrong == []


def start(site: Site, limits: Limits) -> None:
    replica = site.replica()
    site.keys = [*KEYS, key(PROJECT_KEY, "acme", "developer", project="acme/other")]
    site.start(endpoint(("replica-1", replica.server.port)), limits=limits)


def answer_to(site: Site, pieces: Iterator[bytes]) -> tuple[int, bytes]:
    """What is answered to pieces that are sent as long as they are taken: the status, and the body."""
    with site.socket() as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough
        head, _, rest = _received(connection.recv, b"\r\n\r\n").partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(rest) < length:
            more = connection.recv(65_536)
            assert more
            rest += more
    return int(head.split(b" ")[1]), rest


def _received(recv: Callable[[int], bytes], end: bytes) -> bytes:
    data = b""
    while end not in data:
        more = recv(65_536)
        assert more, f"it hung up after {data!r}"
        data += more
    return data


@pytest.mark.parametrize("abuse", ABUSES)
def test_an_abuse_is_told_in_openais_shape_and_disturbs_nobody(site: Site, abuse: str) -> None:
    pieces, status, code = ABUSES[abuse]
    start(site, Limits(sweep_s=0.05, head_s=60.0, linger_s=60.0))
    with busy(site):
        told, body = answer_to(site, pieces())
    error = json.loads(body)["error"]
    assert (told, error["code"]) == (status, code)
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["message"]


def test_a_hundred_that_send_nothing_more_are_ended_and_disturb_nobody(site: Site) -> None:
    start(site, Limits(sweep_s=0.05, head_s=1.0, body_s=2.0))
    with busy(site):
        slow = [site.socket() for _ in range(100)]
        for n, connection in enumerate(slow):
            connection.sendall(START if n % 2 else START + b"content-length: 100\r\n\r\n{")
        answers = [_received(connection.recv, b"\r\n\r\n") for connection in slow]
        for connection in slow:
            connection.close()
    assert {answer.split(b" ")[1] for answer in answers} == {b"408"}


def test_garbage_behind_a_good_request_leaves_its_answer_whole(site: Site) -> None:
    start(site, Limits(sweep_s=0.05))
    with busy(site), site.socket() as connection:
        connection.sendall(post(CHAT, ASK) + b"\x00\x01 garbage\r\n\r\n")
        told = _received(connection.recv, b"malformed_request")
    assert told.startswith(b"HTTP/1.1 200 OK")
    assert b"HTTP/1.1 400" in told
