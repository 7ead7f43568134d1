"""What a name means: aliases, adapters, splits by weight, fallbacks; and who goes first."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from tests.contract.gateway.replica_double import ReplicaDouble
from tests.contract.gateway.site import MESSAGES, Site, endpoint, post

pytestmark = pytest.mark.slow


def served(replica: ReplicaDouble, name: str, **more: Any) -> dict[str, Any]:
    return endpoint((name, replica.server.port), id=f"endpoint-{name}", name=name, **more)


def ask(site: Site, model: str, **headers: str) -> None:
    with site.openai() as client:
        client.chat.completions.create(model=model, messages=MESSAGES, extra_headers=headers)


def models(replica: ReplicaDouble) -> list[str]:
    return [json.loads(received.body)["model"] for received in replica.received]


def test_replicas_are_asked_for_an_alias_by_the_served_name_and_for_an_adapter_by_its_own(
    site: Site,
) -> None:
    replica = site.replica()
    site.start(served(replica, "a", aliases=["gpt-4o"], adapters=["tiny-lora"]))
    with site.openai() as client:
        assert [model.id for model in client.models.list()] == ["tiny-gpt", "gpt-4o", "tiny-lora"]
        assert client.models.retrieve("gpt-4o").id == "gpt-4o"
    for name in ("tiny-gpt", "gpt-4o", "tiny-lora"):
        ask(site, name)
    assert models(replica) == ["tiny-gpt", "tiny-gpt", "tiny-lora"]
    usage = site.control.usage
    site.until(lambda: usage.total("requests") == 3)
    assert [usage.total("requests", model=name) for name in ("gpt-4o", "tiny-lora")] == [1, 1]


def test_endpoints_of_one_name_share_its_requests_by_weight_and_keep_sessions(site: Site) -> None:
    main, canary = site.replica(), site.replica()
    site.start(served(main, "a", weight=9), served(canary, "b", weight=1))
    for _ in range(50):
        ask(site, "tiny-gpt")
    assert 43 <= len(main.received) <= 47
    assert len(main.received) + len(canary.received) == 50
    before = len(canary.received), len(main.received)
    for _ in range(10):
        ask(site, "tiny-gpt", **{"x-session-id": "me"})
    after = len(canary.received), len(main.received)
    assert sorted((after[0] - before[0], after[1] - before[1])) == [0, 10]


def test_a_fallback_takes_what_a_failed_endpoint_cannot(site: Site) -> None:
    replica = site.replica()
    failed = endpoint(id="endpoint-1", served_name="big", phase="failed", fallback="tiny-gpt")
    site.start(failed, served(replica, "b"))
    ask(site, "big")
    assert models(replica) == ["tiny-gpt"]


def test_fallbacks_that_go_round_in_a_circle_end(site: Site) -> None:
    first = endpoint(id="endpoint-1", served_name="x", phase="failed", fallback="y")
    second = endpoint(id="endpoint-2", served_name="y", phase="failed", fallback="x")
    site.start(first, second)
    with pytest.raises(openai.InternalServerError) as caught:
        ask(site, "x")
    assert caught.value.code == "endpoint_failed"


def test_a_replica_that_fails_again_and_again_is_left_alone_for_longer(site: Site) -> None:
    well, ill = site.replica(), site.replica()
    ill.behaviour = ill.fail_plainly
    site.start(endpoint(("a", ill.server.port), ("b", well.server.port)))
    answers = {"good": 0, "bad": 0}
    for _ in range(30):
        try:
            ask(site, "tiny-gpt")
            answers["good"] += 1
        except openai.InternalServerError:
            answers["bad"] += 1
    assert answers["good"] + answers["bad"] == 30
    assert answers["good"] >= 20
    assert len(ill.received) == answers["bad"]


def test_the_urgent_go_first_and_the_rest_gives_way(site: Site) -> None:
    replica = site.replica()
    site.clear(replica.gate)
    site.start(served(replica, "a", concurrency=1, queue_max=2))

    def sent(urgency: str) -> str:
        try:
            ask(site, "tiny-gpt", **{"x-gigawatt-urgency": urgency, "x-urgency": urgency})
        except openai.RateLimitError as error:
            return error.code or ""
        return urgency

    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(sent, "0")
        site.until(lambda: site.in_flight() == 1)
        low = threads.submit(sent, "-10")
        site.until(lambda: site.queued() == 1)
        normal = threads.submit(sent, "1")
        site.until(lambda: site.queued() == 2)
        high = threads.submit(sent, "10")
        assert low.result() == "gave_way"
        site.set(replica.gate)
        assert [first.result(), normal.result(), high.result()] == ["0", "1", "10"]
    order = [received.headers["x-urgency"] for received in replica.received]
    assert order == ["0", "10", "1"]


def test_streams_of_responses_pass_and_their_usage_is_counted(site: Site) -> None:
    replica = site.replica()

    async def respond(received: Any, reply: Any) -> None:
        usage = {
            "input_tokens": 9,
            "output_tokens": 2,
            "input_tokens_details": {"cached_tokens": 4},
        }
        done = {"type": "response.completed", "response": {"id": "r", "usage": usage}}
        await reply.begin("text/event-stream")
        await reply.chunk(b'event: response.created\ndata: {"type":"response.created"}\n\n')
        await reply.chunk(b"event: response.completed\ndata: %b\n\n" % json.dumps(done).encode())
        await reply.end()

    replica.behaviour = respond
    site.start(served(replica, "a"))
    with site.socket() as connection:
        body = {"model": "tiny-gpt", "input": "hi", "stream": True}
        connection.sendall(post("/v1/responses", body, extra="connection: close\r\n"))
        told = b""
        while data := connection.recv(65536):
            told += data
    assert b"response.created" in told
    assert b"response.completed" in told
    assert b"stream_options" not in replica.received[0].body
    usage = site.control.usage
    site.until(lambda: usage.total("requests") == 1)
    names = ("prompt_tokens", "cached_tokens", "completion_tokens")
    assert [usage.total(name) for name in names] == [9, 4, 2]


def rolling(old: ReplicaDouble, new: ReplicaDouble, weight: int) -> dict[str, Any]:
    """Two revisions of one endpoint, the second of which takes `weight` percent."""
    document = endpoint(("old", old.server.port), ("new", new.server.port))
    document["replicas"][0]["generation"], document["replicas"][1]["generation"] = 1, 2
    document["revisions"] = [
        {"generation": 2, "weight": weight, "concurrency": 8},
        {"generation": 1, "weight": 100 - weight, "concurrency": 8},
    ]
    return document


def test_revisions_share_requests_by_weight_and_what_came_of_them_is_told(site: Site) -> None:
    old, new = site.replica("old"), site.replica("new")
    new.behaviour = new.fail_plainly
    site.start(rolling(old, new, 0))
    for _ in range(5):
        ask(site, "tiny-gpt")
    assert (len(old.received), len(new.received)) == (5, 0)
    site.publish(rolling(old, new, 20))
    failed = 0
    for _ in range(50):
        try:
            ask(site, "tiny-gpt")
        except openai.InternalServerError:
            failed += 1
    assert len(new.received) == failed > 0

    def counted(generation: str, what: str) -> int:
        told = (each["revisions"].get(generation, {}) for each in site.control.demands)
        return sum(each.get(what, 0) for each in told)

    site.until(lambda: counted("2", "errors") == failed)
    site.until(lambda: counted("1", "requests") == len(old.received))
    assert counted("1", "errors") == 0


def test_a_new_revision_that_dies_loses_no_request(site: Site) -> None:
    old, new = site.replica("old"), site.replica("new")
    new.behaviour = new.die_before_the_first_byte
    site.start(rolling(old, new, 50))
    for _ in range(30):
        ask(site, "tiny-gpt")
    assert len(old.received) == 30
    assert len(new.received) > 0
