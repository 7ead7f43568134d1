"""Replies on their way through: bytes untouched, large ones, and clients that do not read."""

import json

import pytest

from gigawatt.gateway.limits import Limits
from tests.contract.gateway.http_server import Received, Reply
from tests.contract.gateway.replica_double import USAGE
from tests.contract.gateway.site import ASK, CHAT, Site, endpoint, post

pytestmark = pytest.mark.slow


def test_streamed_bytes_pass_untouched(site: Site) -> None:
    replica = site.replica()
    odd = (
        b": a comment\n\n"
        b'data: {"choices":[{"delta":{"content":"\\"usage\\": {"}}]}\r\n\r\n'
        b"id: 7\nevent: x\ndata: not json\n\n"
        b'data: {"choices": [],\ndata:  "usage": {"prompt_tokens": 1, "completion_tokens": 2}}\n\n'
        b"data: [DONE]\n\n"
    )

    async def behave(received: Received, reply: Reply) -> None:
        await reply.begin("text/event-stream", extra="x-runtime: odd\r\n")
        for n in range(0, len(odd), 7):
            await reply.chunk(odd[n : n + 7])
        await reply.end()

    replica.behaviour = behave
    site.start(endpoint(("replica-1", replica.server.port)))
    asked = {**ASK, "stream": True, "stream_options": {"include_usage": True}}
    with site.openai() as client:
        url = f"http://127.0.0.1:{site.port}{CHAT}"
        headers = {"authorization": "Bearer sk-developer"}
        whole = client._client.post(url, json=asked, headers=headers)
        stripped = client._client.post(url, json={**ASK, "stream": True}, headers=headers)
    assert whole.content == odd
    usage_at = odd.index(b'data: {"choices": []')
    assert stripped.content == odd[:usage_at] + b"data: [DONE]\n\n"
    assert whole.headers["x-runtime"] == "odd"
    tally = site.running.gateway.endpoints.tallies["endpoint-1"]
    assert (tally.prompt_tokens, tally.completion_tokens) == (2, 4)


def test_a_large_reply_is_passed_on_and_still_metered(site: Site) -> None:
    replica = site.replica()
    data = json.dumps({"data": ["0.25"] * 700_000, "usage": USAGE}).encode()

    async def behave(received: Received, reply: Reply) -> None:
        await reply.whole(200, data)

    replica.behaviour = behave
    site.start(endpoint(("replica-1", replica.server.port)))
    with site.openai() as client:
        url = f"http://127.0.0.1:{site.port}/v1/embeddings"
        headers = {"authorization": "Bearer sk-developer"}
        assert client._client.post(url, json=ASK, headers=headers).content == data
    assert site.running.gateway.endpoints.tallies["endpoint-1"].prompt_tokens == 7


def test_a_client_that_does_not_read_holds_the_replica_back_and_not_the_gateways_memory(
    site: Site,
) -> None:
    replica = site.replica()
    sent_bytes = 0
    total_bytes = 64 * 1024 * 1024
    block = b"data: " + b"x" * 65_000 + b"\n\n"

    async def behave(received: Received, reply: Reply) -> None:
        nonlocal sent_bytes
        await reply.begin("text/event-stream")
        while sent_bytes < total_bytes:
            await reply.chunk(block)
            sent_bytes += len(block)
        await reply.end()

    replica.behaviour = behave
    site.start(endpoint(("replica-1", replica.server.port)))
    with site.socket() as stream:
        stream.sendall(post(CHAT, {**ASK, "stream": True}))
        looks = [-1]

        def nothing_moves_any_more() -> bool:
            looks.append(sent_bytes)
            return len(set(looks[-20:])) == 1

        site.until(nothing_moves_any_more)
        assert sent_bytes < total_bytes / 2
        held_back_at = sent_bytes
        read = 0
        while read < total_bytes:
            read += len(stream.recv(1 << 20))
    assert held_back_at < sent_bytes


def test_a_client_that_never_reads_is_cut_off(site: Site) -> None:
    replica = site.replica()

    async def behave(received: Received, reply: Reply) -> None:
        await reply.begin("text/event-stream")
        while True:
            await reply.chunk(b"data: " + b"x" * 65_000 + b"\n\n")

    replica.behaviour = behave
    site.start(
        endpoint(("replica-1", replica.server.port)), limits=Limits(sweep_s=0.05, stall_s=0.3)
    )
    with site.socket() as stream:
        stream.sendall(post(CHAT, {**ASK, "stream": True}))
        site.until(lambda: replica.abandoned == 1)
    assert site.in_flight() == 0
