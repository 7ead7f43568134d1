"""HTTP as it comes over the wire: well-formed, malformed, too large, too slow."""

import json
import socket
import time
from contextlib import suppress
from typing import Any

import pytest

from gigawatt.gateway.limits import Limits
from tests.contract.gateway.replica_double import WORDS
from tests.contract.gateway.site import ASK, CHAT, VIEWER_KEY, Site, endpoint, get, post

pytestmark = pytest.mark.slow


@pytest.fixture
def served(site: Site) -> Site:
    replica = site.replica()
    limits = Limits(
        sweep_s=0.05, head_s=0.3, body_s=0.3, idle_s=5, linger_s=0.2, body_bytes=100_000
    )
    site.start(endpoint(("replica-1", replica.server.port)), limits=limits)
    return site


class Answered:
    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {name: value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def error(self) -> dict[str, Any]:
        error = json.loads(self.body)["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        return error


def read_one(stream: socket.socket) -> Answered:
    """One reply that has a Content-Length."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        data = stream.recv(65536)
        assert data, f"closed after {raw!r}"
        raw += data
    length = int(Answered(raw).headers["content-length"])
    while len(raw.partition(b"\r\n\r\n")[2]) < length:
        raw += stream.recv(65536)
    return Answered(raw)


def read_all(stream: socket.socket) -> bytes:
    raw = b""
    while data := stream.recv(65536):
        raw += data
    return raw


def exchange(site: Site, data: bytes) -> Answered:
    with site.socket() as stream:
        stream.sendall(data)
        return read_one(stream)


@pytest.mark.parametrize(
    "data",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS hello
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\n\r\n",  # without a host
        b"GET /v1 /models HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n"
        b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZ\r\n",
        b"GET /v1/models HTTP/1.1\r\nhost : x\r\n\r\n",
        b"GET /v1/\xff HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
def test_malformed_http_is_400_and_the_connection_ends(served: Site, data: bytes) -> None:
    with served.socket() as stream:
        stream.sendall(data)
        answered = read_one(stream)
        assert read_all(stream) == b""
    assert (answered.status, answered.error["type"]) == (400, "invalid_request_error")
    assert answered.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (b"", "invalid_json", "empty"),
        (b'{"model": "tiny-gpt",', "invalid_json", "line 1, column 22"),
        (b'{"model":\n\n x}', "invalid_json", "line 3, column 2"),
        (b'{"model": "\xff"}', "invalid_utf8", "byte 11 is 0xff"),
        (b"[1]", "invalid_json", "a list"),
        (b'{"model": NaN}', "invalid_json", "NaN"),
        (b'{"model": ' + b"9" * 5000 + b"}", "invalid_json", "digits"),
        (b'{"model": ' + b"[" * 50_000 + b"]" * 49_000 + b"}", "invalid_json", "nested"),
        (b"\xef\xbb\xbf{}", "invalid_json", "character 0"),
        (b"{}", "missing_required_parameter", "`model`"),
        (b'{"model": 7}', "invalid_type", "a number"),
        (b'{"model": "tiny-gpt", "stream": "yes"}', "invalid_type", "`stream`"),
        (
            b'{"model": "tiny-gpt", "stream": true, "stream_options": 1}',
            "invalid_type",
            "an object",
        ),
    ],
)
def test_a_body_that_makes_no_sense_is_400_and_the_connection_stays(
    served: Site, body: bytes, code: str, says: str
) -> None:
    with served.socket() as stream:
        stream.sendall(post(CHAT, body))
        refused = read_one(stream)
        stream.sendall(post(CHAT, ASK))
        assert read_one(stream).status == 200
    assert (refused.status, refused.error["code"]) == (400, code)
    assert says in refused.error["message"]


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (get("/v2/models"), 404, "unknown_url"),
        (get(CHAT), 405, "method_not_allowed"),
        (get("/v1/models", method="DELETE"), 405, "method_not_allowed"),
        (get("/v1/models", api_key=""), 401, "invalid_api_key"),
        (b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n", 401, "invalid_api_key"),
        (b"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Basic eA==\r\n\r\n", 401, "invalid_api_key"),
        (get("/v1/models/absent"), 404, "model_not_found"),
        (get("/" + "x" * 9000), 414, "url_too_long"),
        (get("/v1/models", extra="a: b\r\n" * 200), 431, "headers_too_large"),
        (get("/v1/models", extra=f"a: {'b' * 70_000}\r\n"), 431, "headers_too_large"),
        (get("/v1/models", extra=f"a: {'b' * 700_000}\r\n"), 431, "headers_too_large"),
        (post(CHAT, ASK, api_key=VIEWER_KEY), 403, "insufficient_permissions"),
        (b"CONNECT gateway:443 HTTP/1.1\r\nhost: x\r\n\r\n", 404, "unknown_url"),
        (post(CHAT, ASK, extra="content-encoding: gzip\r\n"), 415, "unsupported_encoding"),
        (post(CHAT, b" " * 100_001), 413, "request_too_large"),
        (post(CHAT, b" " * 30_000_000), 413, "request_too_large"),
        (
            post(CHAT, b"").replace(b"content-length: 0", b"transfer-encoding: chunked")
            + b"10000\r\n" + b" " * 65536 + b"\r\n" + b"10000\r\n" + b" " * 65536 + b"\r\n0\r\n\r\n",
            413,
            "request_too_large",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_is_refused_in_openais_shape(
    served: Site, data: bytes, status: int, code: str
) -> None:
    answered = exchange(served, data)
    assert (answered.status, answered.error["code"]) == (status, code)
    with served.openai() as client:
        assert [model.id for model in client.models.list()] == ["tiny-gpt"]


def test_a_wrong_method_is_told_the_right_ones(served: Site) -> None:
    assert exchange(served, get(CHAT)).headers["allow"] == "POST, OPTIONS"


def test_options_and_head_have_no_body(served: Site) -> None:
    with served.socket() as stream:
        stream.sendall(get("/v1/models", method="OPTIONS"))
        options = read_one(stream)
        stream.sendall(get("/v1/models", method="HEAD") + get("/health"))
        raw = b""
        while b'"ok"' not in raw:
            raw += stream.recv(65536)
    assert (options.status, options.headers["allow"], options.body) == (
        200,
        "GET, HEAD, OPTIONS",
        b"",
    )
    head, _, rest = raw.partition(b"\r\n\r\n")
    assert int(Answered(head).headers["content-length"]) > 0
    assert rest.startswith(b"HTTP/1.1 200")


def test_requests_sent_ahead_are_answered_in_order(served: Site) -> None:
    with served.socket() as stream:
        stream.sendall(
            post(CHAT, ASK) + get("/v1/models/tiny-gpt") + post(CHAT, {}) + get("/health")
        )
        raw = b""
        while b'"ok"' not in raw:
            raw += stream.recv(65536)
    marks = [b"chat.completion", b'"object": "model"', b"missing_required_parameter", b'"ok"']
    places = [raw.index(mark) for mark in marks]
    assert places == sorted(places)


def test_too_many_requests_sent_ahead_end_the_connection(served: Site) -> None:
    with served.socket() as stream:
        stream.sendall(get("/health") * 200)
        raw = read_all(stream)
    assert raw.count(b"HTTP/1.1 200") == 32
    assert raw.count(b"HTTP/1.1 400") == 1


def test_a_request_in_small_pieces_is_one_request(served: Site) -> None:
    with served.socket() as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post(CHAT, ASK):
            stream.sendall(bytes([byte]))
        assert read_one(stream).status == 200


def test_a_chunked_body_is_a_body(served: Site) -> None:
    head = post(CHAT, b"").replace(b"content-length: 0", b"transfer-encoding: chunked")
    content = json.dumps(ASK).encode()
    with served.socket() as stream:
        stream.sendall(head)
        stream.sendall(b"5;name=value\r\n" + content[:5] + b"\r\n")
        stream.sendall(b"%x\r\n%b\r\n0\r\ntrailer: x\r\n\r\n" % (len(content) - 5, content[5:]))
        assert read_one(stream).status == 200


def test_expect_100_continue_is_answered_before_the_body(served: Site) -> None:
    request = post(CHAT, ASK, extra="expect: 100-continue\r\n")
    head, _, body = request.partition(b"\r\n\r\n")
    with served.socket() as stream:
        stream.sendall(head + b"\r\n\r\n")
        assert stream.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        stream.sendall(body)
        assert read_one(stream).status == 200


def test_a_stranger_is_not_asked_for_the_body(served: Site) -> None:
    head = post(CHAT, ASK, api_key="wrong", extra="expect: 100-continue\r\n").partition(
        b"\r\n\r\n"
    )[0]
    assert exchange(served, head + b"\r\n\r\n").status == 401


def test_http_1_0_gets_a_stream_that_ends_with_the_connection(served: Site) -> None:
    request = post(CHAT, {**ASK, "stream": True}).replace(b"HTTP/1.1", b"HTTP/1.0")
    with served.socket() as stream:
        stream.sendall(request)
        head, _, body = read_all(stream).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert body.count(b"data: {") == len(WORDS)
    assert body.endswith(b"data: [DONE]\n\n")


def test_an_offer_of_another_protocol_is_passed_over(served: Site) -> None:
    offer = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
    with served.socket() as stream:
        for _ in range(2):
            stream.sendall(post(CHAT, ASK, extra=offer))
            assert read_one(stream).status == 200
        stream.sendall(get("/v1/models", extra=offer) + post(CHAT, ASK))
        assert read_one(stream).status == 200


def test_neither_key_nor_connection_headers_reach_the_replica(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port)))
    extra = (
        "accept-encoding: gzip\r\nte: trailers\r\nx-private: 1\r\nconnection: keep-alive, x-private\r\n"
        "x-gigawatt-tenant: mine\r\nx-custom: kept\r\nx-request-id: mine-1\r\n"
    )
    answered = exchange(site, post("http://gateway" + CHAT + "?a=b", ASK, extra=extra))
    received = replica.received[0]
    assert received.target == CHAT + "?a=b"
    assert received.headers == {
        "host": f"127.0.0.1:{replica.server.port}",
        "x-request-id": "mine-1",
        "content-type": "application/json",
        "x-custom": "kept",
        "content-length": str(len(received.body)),
    }
    assert received.body == json.dumps(ASK).encode()
    assert answered.headers["x-request-id"] == "mine-1"


@pytest.mark.parametrize(
    "data",
    [b"GET /v1/models HT", get("/v1/models")[:-2], post(CHAT, ASK)[:-5]],
)
def test_a_slow_request_is_408(served: Site, data: bytes) -> None:
    with served.socket() as stream:
        stream.sendall(data)
        assert read_one(stream).status == 408
        assert read_all(stream) == b""


def test_bytes_that_trickle_do_not_put_the_deadline_off(served: Site) -> None:
    began_s = time.monotonic()
    with served.socket() as stream, suppress(ConnectionError):
        stream.sendall(b"GET /v1/models HTTP/1.1\r\n")
        stream.settimeout(0.02)
        while time.monotonic() - began_s < 10:
            with suppress(TimeoutError):
                if stream.recv(12) == b"HTTP/1.1 408":
                    break
            stream.sendall(b"a: b\r\n")
    assert time.monotonic() - began_s < 5


def test_an_idle_connection_is_closed(site: Site) -> None:
    site.start(endpoint(), limits=Limits(sweep_s=0.05, idle_s=0.2))
    with site.socket() as silent, site.socket() as used:
        used.sendall(get("/health"))
        read_one(used)
        assert silent.recv(1) == used.recv(1) == b""


def test_a_connection_too_many_is_turned_away(site: Site) -> None:
    site.start(endpoint(), limits=Limits(connections=2, linger_s=0.1, sweep_s=0.05))
    with site.socket() as one, site.socket() as two:
        one.sendall(get("/health"))
        read_one(one)
        two.sendall(get("/health"))
        read_one(two)
        with site.socket() as third:
            refused = read_one(third)
    assert (refused.status, refused.error["code"]) == (503, "too_many_connections")


def test_request_bodies_together_have_a_limit(site: Site) -> None:
    replica = site.replica()
    site.clear(replica.gate)
    limits = Limits(sweep_s=0.05, bodies_bytes=150_000)
    site.start(endpoint(("replica-1", replica.server.port)), limits=limits)
    large = {**ASK, "padding": "x" * 100_000}
    with site.socket() as first:
        first.sendall(post(CHAT, large))
        site.until(lambda: len(replica.received) == 1)
        assert exchange(site, post(CHAT, large)).error["code"] == "out_of_memory"
        site.set(replica.gate)
        assert read_one(first).status == 200
    assert exchange(site, post(CHAT, large)).status == 200
