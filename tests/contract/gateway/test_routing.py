"""Requests go to the replica that knows their beginning or their session, and elsewhere when that one is busy."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from openai import OpenAI

from tests.contract.gateway.replica_double import ReplicaDouble
from tests.contract.gateway.site import Site, endpoint

pytestmark = pytest.mark.slow

TOPICS = [f"{number} " * 500 for number in range(6)]


def two_replicas(site: Site, routing: str) -> list[ReplicaDouble]:
    doubles = [site.replica(f"replica-{n}") for n in (1, 2)]
    served = endpoint(*((d.name, d.server.port) for d in doubles), routing=routing, concurrency=2)
    site.start(served)
    return doubles


def ask(client: OpenAI, topic: str, question: str, **more: str) -> str:
    """The replica that answered."""
    reply = client.chat.completions.with_raw_response.create(
        model="tiny-gpt",
        messages=[{"role": "system", "content": topic}, {"role": "user", "content": question}],
        extra_headers=more,
    )
    return reply.headers["x-gigawatt-replica"]


def test_prompts_that_begin_alike_go_to_one_replica(site: Site) -> None:
    two_replicas(site, "prefix")
    with site.openai() as client:
        first = [ask(client, topic, "a?") for topic in TOPICS]
        again = [ask(client, topic, "b?") for topic in reversed(TOPICS)]
    assert again == first[::-1]
    assert set(first) == {"replica-1", "replica-2"}


def test_a_busy_replica_is_passed_over(site: Site) -> None:
    doubles = two_replicas(site, "prefix")
    with site.openai() as client, ThreadPoolExecutor(4) as pool:
        ask(client, TOPICS[0], "a?")
        for double in doubles:
            site.clear(double.gate)
        held = [pool.submit(ask, client, TOPICS[0], "b?") for _ in range(4)]
        site.until(lambda: sum(len(double.received) for double in doubles) == 5)
        for double in doubles:
            site.set(double.gate)
        assert {each.result() for each in held} == {"replica-1", "replica-2"}


def test_a_session_stays_where_it_is(site: Site) -> None:
    two_replicas(site, "session")
    sessions = [f"session-{n}" for n in range(8)]
    with site.openai() as client:
        first = [ask(client, "t", "a?", **{"x-session-id": name}) for name in sessions]
        again = [ask(client, "t", "b?", **{"x-session-id": name}) for name in sessions]
    assert again == first
    assert set(first) == {"replica-1", "replica-2"}
