"""Replicas that are told to sleep: a double of vLLM's sleep routes as they are documented. No GPU has seen this."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.gateway.http_server import Received, Reply
from tests.contract.gateway.replica_double import ReplicaDouble
from tests.contract.gateway.site import CHAT, MESSAGES, PATIENCE_S, Site, endpoint

pytestmark = pytest.mark.slow


class Sleeper:
    """`POST /sleep?level=1`, `POST /wake_up` and `GET /is_sleeping`; while it sleeps it can answer nothing else."""

    def __init__(self, replica: ReplicaDouble) -> None:
        self.asleep = False
        self.told: list[str] = []
        self.wrong: list[str] = []  # what it was asked while it slept
        self._replica = replica
        replica.behaviour = self.serve

    async def serve(self, received: Received, reply: Reply) -> None:
        match received.method, received.target:
            case "POST", "/sleep?level=1" | "/wake_up":
                self.asleep = received.target != "/wake_up"
                self.told.append(received.target)
                await reply.whole(200, b"")
            case "GET", "/is_sleeping":
                await reply.whole(200, json.dumps({"is_sleeping": self.asleep}).encode())
            case _:
                if self.asleep:
                    self.wrong.append(received.path)
                await self._replica.answer(received, reply)


def ask(site: Site) -> str | None:
    with site.openai() as client:
        reply = client.chat.completions.create(model="tiny-gpt", messages=MESSAGES)
    return reply.choices[0].message.content


def stream(site: Site) -> int:
    with site.openai() as client:
        chunks = client.chat.completions.create(model="tiny-gpt", messages=MESSAGES, stream=True)
        return len(list(chunks))


def test_a_replica_sleeps_when_it_is_to_and_is_awake_before_it_is_asked(site: Site) -> None:
    replica = site.replica()
    sleeper = Sleeper(replica)
    at = ("replica-1", replica.server.port)
    site.start(endpoint(at, sleeper="vllm"))
    assert ask(site) == "one two three four"
    assert sleeper.told == []
    site.publish(endpoint(at, sleeper="vllm", asleep=True, start_ms=9_000_000))
    site.until(lambda: sleeper.asleep)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(ask, site)
        site.until(lambda: any(each["queued"] for each in site.control.demands))
        site.publish(endpoint(at, sleeper="vllm"))
        assert waiting.result(PATIENCE_S) == "one two three four"
    assert (sleeper.told, sleeper.wrong) == (["/sleep?level=1", "/wake_up"], [])


def test_one_that_is_busy_is_not_put_to_sleep_before_it_has_answered(site: Site) -> None:
    replica = site.replica()
    sleeper = Sleeper(replica)
    at = ("replica-1", replica.server.port)
    site.start(endpoint(at, sleeper="vllm"))
    assert ask(site) == "one two three four"
    site.clear(replica.word_gate)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(stream, site)
        site.until(lambda: site.in_flight() == 1)
        site.publish(endpoint(at, sleeper="vllm", asleep=True))
        assert sleeper.told == []
        site.set(replica.word_gate)
        assert waiting.result(PATIENCE_S) == 4
    site.until(lambda: sleeper.asleep)
    assert sleeper.wrong == []


def test_a_gateway_that_starts_wakes_what_it_finds_asleep(site: Site) -> None:
    replica = site.replica()
    sleeper = Sleeper(replica)
    sleeper.asleep = True
    site.start(endpoint(("replica-1", replica.server.port), sleeper="vllm"))
    assert ask(site) == "one two three four"
    assert (sleeper.told, sleeper.wrong) == (["/wake_up"], [])


def test_a_runtime_that_cannot_sleep_is_taken_for_awake(site: Site) -> None:
    replica = site.replica()

    async def know_nothing(received: Received, reply: Reply) -> None:
        if received.path == CHAT:
            await replica.answer(received, reply)
        else:
            await reply.whole(404, b"{}")

    replica.behaviour = know_nothing
    site.start(endpoint(("replica-1", replica.server.port), sleeper="vllm"))
    assert ask(site) == "one two three four"
