"""Requests wait in a bounded line while no replica can take them."""

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletion

from gigawatt.gateway.limits import Limits
from tests.contract.gateway.http_server import Received, Reply
from tests.contract.gateway.site import ASK, CHAT, KEY, MESSAGES, PATIENCE_S, Site, endpoint

pytestmark = pytest.mark.slow

TELLS_SOON = Limits(sweep_s=0.05, keep_alive_s=0.1)
Answer = tuple[ChatCompletion, dict[str, str]]


def ask(client: OpenAI) -> Answer:
    reply = client.chat.completions.with_raw_response.create(model="tiny-gpt", messages=MESSAGES)
    return reply.parse(), dict(reply.headers)


def ask_in_order(
    site: Site, pool: ThreadPoolExecutor, client: OpenAI, count: int
) -> list[Future[Answer]]:
    """`count` requests, each in line before the next is sent."""
    futures: list[Future[Answer]] = []
    for n in range(count):
        futures.append(pool.submit(ask, client))
        site.until(lambda n=n: site.queued() == n + 1)
    return futures


def test_a_request_at_zero_replicas_is_held_until_one_is_ready(site: Site) -> None:
    site.start(endpoint())
    replica = site.replica()
    with site.openai() as client, ThreadPoolExecutor(1) as pool:
        (held,) = ask_in_order(site, pool, client, 1)
        site.until(lambda: any(demand["queued"] == 1 for demand in site.control.demands))
        site.publish(endpoint(("replica-1", replica.server.port)))
        _, headers = held.result()
    assert headers["x-gigawatt-replica"] == "replica-1"
    assert headers["x-gigawatt-queue-position"] == "1"
    assert int(headers["x-gigawatt-queue-wait-ms"]) >= 0


def test_the_first_to_wait_is_reported_at_once_however_rare_reports_are(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(), limits=Limits(report_s=3600))
    with site.openai() as client, ThreadPoolExecutor(3) as pool:
        waiting = ask_in_order(site, pool, client, 3)
        site.until(lambda: any(demand["queued"] for demand in site.control.demands))
        site.publish(endpoint(("replica-1", replica.server.port)))
        for answer in waiting:
            answer.result()


def test_a_replica_that_is_not_ready_gets_nothing(site: Site) -> None:
    replica = site.replica()
    starting = endpoint(("replica-1", replica.server.port), phase="starting")
    starting["replicas"][0]["ready"] = False
    site.start(starting)
    with site.openai() as client, ThreadPoolExecutor(1) as pool:
        (held,) = ask_in_order(site, pool, client, 1)
        assert replica.received == []
        site.publish(endpoint(("replica-1", replica.server.port)))
        held.result()
    assert len(replica.received) == 1


def test_a_herd_of_200_is_reported_at_once_and_answered_whole(site: Site) -> None:
    site.start(endpoint())
    site.until(lambda: len(site.control.reports) >= 1)
    replica = site.replica()
    reports_before = len(site.control.reports)
    with site.openai() as client, ThreadPoolExecutor(200) as pool:
        answers = [pool.submit(ask, client) for _ in range(200)]
        site.until(lambda: site.queued() == 200)
        site.until(lambda: site.control.demands[-1]["queued"] == 200)
        reports = len(site.control.reports) - reports_before
        site.publish(endpoint(("replica-1", replica.server.port), concurrency=8))
        positions = [int(answer.result()[1]["x-gigawatt-queue-position"]) for answer in answers]
    assert sorted(positions) == list(range(1, 201))
    assert reports < 20
    assert len(replica.received) == 200


def test_requests_beyond_the_concurrency_wait_their_turn_in_order(site: Site) -> None:
    replica = site.replica()
    site.clear(replica.gate)
    site.start(endpoint(("replica-1", replica.server.port), concurrency=1))
    with site.openai() as client, ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask, client)
        site.until(lambda: len(replica.received) == 1)
        later = ask_in_order(site, pool, client, 3)
        assert len(replica.received) == 1
        site.set(replica.gate)
        positions = [answer.result()[1]["x-gigawatt-queue-position"] for answer in later]
        assert "x-gigawatt-queue-position" not in first.result()[1]
    assert positions == ["1", "2", "3"]


def test_one_too_many_in_line_is_told_to_come_again(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(queue_max=2))
    with site.openai() as client, ThreadPoolExecutor(2) as pool:
        waiting = ask_in_order(site, pool, client, 2)
        with pytest.raises(openai.RateLimitError) as refused:
            ask(client)
        site.publish(endpoint(("replica-1", replica.server.port), queue_max=2))
        for answer in waiting:
            answer.result()
    assert refused.value.code == "queue_full"
    assert int(refused.value.response.headers["retry-after"]) > 0


def test_a_wait_has_an_end(site: Site) -> None:
    site.start(endpoint(queue_timeout_s=0.2))
    with site.openai() as client, pytest.raises(openai.APIStatusError) as refused:
        ask(client)
    assert (refused.value.status_code, refused.value.code) == (503, "queue_timeout")
    assert int(refused.value.response.headers["retry-after"]) > 0
    assert int(refused.value.response.headers["x-gigawatt-queue-wait-ms"]) >= 200
    assert site.queued() == 0


def test_clients_that_leave_lose_their_place(site: Site) -> None:
    site.start(endpoint())
    replica = site.replica()
    with site.openai() as client, ThreadPoolExecutor(2) as pool:
        first, second = ask_in_order(site, pool, client, 2)
        leaver = site.openai().with_options(timeout=0.1)
        with pytest.raises(openai.APITimeoutError):
            ask(leaver)
        leaver.close()
        site.until(lambda: site.queued() == 2)
        site.publish(endpoint(("replica-1", replica.server.port)))
        first.result()
        second.result()
    assert len(replica.received) == 2


def test_a_failed_endpoint_says_so_instead_of_letting_anyone_wait(site: Site) -> None:
    site.start(endpoint())
    with site.openai() as client, ThreadPoolExecutor(1) as pool:
        (held,) = ask_in_order(site, pool, client, 1)
        site.publish(endpoint(phase="failed", message="exit code 1"))
        for attempt in (held.result, lambda: ask(client)):
            with pytest.raises(openai.APIStatusError) as refused:
                attempt()
            assert (refused.value.status_code, refused.value.code) == (503, "endpoint_failed")
            assert "exit code 1" in refused.value.message


def test_those_in_line_of_a_deleted_endpoint_are_told(site: Site) -> None:
    site.start(endpoint())
    with site.openai() as client, ThreadPoolExecutor(1) as pool:
        (held,) = ask_in_order(site, pool, client, 1)
        site.publish()
        with pytest.raises(openai.NotFoundError):
            held.result()


def test_load_goes_to_the_replica_that_has_least(site: Site) -> None:
    one, two = site.replica(), site.replica()
    site.clear(one.gate)
    site.clear(two.gate)
    site.start(endpoint(("replica-1", one.server.port), ("replica-2", two.server.port)))
    with site.openai() as client, ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(ask, client) for _ in range(6)]
        site.until(lambda: len(one.received) + len(two.received) == 6)
        assert (len(one.received), len(two.received)) == (3, 3)
        site.set(one.gate)
        site.set(two.gate)
        for answer in answers:
            answer.result()


def test_draining_lets_streams_end_and_sends_those_in_line_away(site: Site) -> None:
    replica = site.replica()
    site.clear(replica.word_gate)
    site.start(
        endpoint(("replica-1", replica.server.port), concurrency=1), limits=Limits(sweep_s=0.05)
    )
    stopped: list[bool] = []
    with site.openai() as client, site.openai() as other, ThreadPoolExecutor(1) as pool:
        stream = client.chat.completions.create(model="tiny-gpt", messages=MESSAGES, stream=True)
        (held,) = ask_in_order(site, pool, other, 1)
        stopping = threading.Thread(target=lambda: stopped.append(site.stop_gateway(10)))
        stopping.start()
        with pytest.raises(openai.APIStatusError) as refused:
            held.result()
        site.set(replica.word_gate)
        words = [chunk.choices[0].delta.content for chunk in stream]
    stopping.join()
    assert (refused.value.status_code, refused.value.code) == (503, "draining")
    assert words == ["one", "two", "three", "four"]
    assert stopped == [True]


def begun(site: Site) -> tuple[HTTPConnection, HTTPResponse]:
    """A stream whose head has come."""
    connection = HTTPConnection("127.0.0.1", site.port, timeout=PATIENCE_S)
    body = json.dumps({**ASK, "stream": True})
    connection.request("POST", CHAT, body=body, headers={"authorization": f"Bearer {KEY}"})
    return connection, connection.getresponse()


def test_a_stream_that_waits_is_told_so_until_its_answer_comes(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(start_ms=3_600_000, queue_timeout_s=7200), limits=TELLS_SOON)
    connection, reply = begun(site)
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.headers["x-gigawatt-queue-position"] == "1"
    assert reply.headers["x-gigawatt-queue-expected-ms"] == "3600000"
    assert reply.readline() == b": position 1, expected wait 3600 s\n"
    site.publish(endpoint(("replica-1", replica.server.port)))
    lines = [line for line in reply.read().splitlines() if line and not line.startswith(b":")]
    connection.close()
    assert lines[0].startswith(b"data: {")
    assert lines[-1] == b"data: [DONE]"
    assert len(replica.received) == 1


def test_a_stream_that_waited_in_vain_ends_in_an_error_event(site: Site) -> None:
    site.start(endpoint(queue_timeout_s=1.0), limits=TELLS_SOON)
    connection, reply = begun(site)
    lines = [line for line in reply.read().splitlines() if line and not line.startswith(b":")]
    connection.close()
    assert lines[0] == b"event: error"
    assert b"queue_timeout" in lines[1]


def test_what_is_no_stream_after_all_ends_a_stream_that_waited_with_its_error(site: Site) -> None:
    replica = site.replica()

    async def refuse(received: Received, reply: Reply) -> None:
        await reply.whole(400, b'{"error": {"message": "too long", "code": "context"}}')

    replica.behaviour = refuse
    site.start(endpoint(), limits=TELLS_SOON)
    connection, reply = begun(site)
    assert reply.readline() == b": position 1\n"
    site.publish(endpoint(("replica-1", replica.server.port)))
    lines = [line for line in reply.read().splitlines() if line and not line.startswith(b":")]
    connection.close()
    assert lines[0] == b"event: error"
    assert b"too long" in lines[1]


def test_a_start_that_takes_longer_than_one_may_wait_is_said_at_once(site: Site) -> None:
    site.start(endpoint(start_ms=90_000, queue_timeout_s=60))
    with site.openai() as client, pytest.raises(openai.APIStatusError) as refused:
        ask(client)
    assert (refused.value.status_code, refused.value.code) == (503, "starting")
    assert refused.value.response.headers["retry-after"] == "90"
    site.until(lambda: any(demand["queued"] == 1 for demand in site.control.demands))
    assert site.queued() == 0
