"""What clients see when replicas fail."""

import openai
import pytest
from openai import OpenAI

from gigawatt.gateway.limits import Limits
from gigawatt.routing.outliers import TIMES_MIN
from tests.contract.gateway.replica_double import WORDS
from tests.contract.gateway.site import MESSAGES, Site, endpoint, post

pytestmark = pytest.mark.slow


def ask(client: OpenAI) -> str | None:
    reply = client.chat.completions.create(model="tiny-gpt", messages=MESSAGES)
    return reply.choices[0].message.content


def stream(client: OpenAI, seen: list[str | None]) -> None:
    chunks = client.chat.completions.create(model="tiny-gpt", messages=MESSAGES, stream=True)
    seen.extend(chunk.choices[0].delta.content for chunk in chunks)


@pytest.mark.parametrize(
    "fault", ["refused", "die_before_the_first_byte", "die_mid_body", "talk_nonsense"]
)
def test_a_request_that_one_replica_fails_is_answered_by_another(site: Site, fault: str) -> None:
    bad, good = site.replica(), site.replica()
    site.start(endpoint(("replica-1", bad.server.port), ("replica-2", good.server.port)))
    if fault == "refused":
        site.call(bad.server.stop())
    else:
        bad.behaviour = getattr(bad, fault)
    with site.openai() as client:
        assert ask(client) == " ".join(WORDS)
    assert len(good.received) == 1
    if fault == "refused":
        site.call(bad.server.start())


@pytest.mark.parametrize("fault", ["die_before_the_first_byte", "die_mid_body", "talk_nonsense"])
def test_a_failure_without_another_replica_is_502(site: Site, fault: str) -> None:
    replica = site.replica()
    replica.behaviour = getattr(replica, fault)
    site.start(endpoint(("replica-1", replica.server.port)))
    with site.openai() as client, pytest.raises(openai.InternalServerError) as failed:
        ask(client)
    assert (failed.value.status_code, failed.value.code) == (502, "upstream_failed")
    assert failed.value.response.headers["x-gigawatt-replica"] == "replica-1"
    assert site.in_flight() == 0


def test_a_replica_that_has_failed_is_the_last_to_be_asked_for_a_while(site: Site) -> None:
    dead, one, two = site.replica(), site.replica(), site.replica()
    dead.behaviour = dead.die_before_the_first_byte
    ports = [replica.server.port for replica in (dead, one, two)]
    site.start(endpoint(*zip(("replica-1", "replica-2", "replica-3"), ports, strict=True)))
    with site.openai() as client:
        for _ in range(10):
            assert ask(client) == " ".join(WORDS)
    assert len(dead.received) == 1


def test_two_failures_are_502_although_there_is_a_third_replica(site: Site) -> None:
    replicas = [site.replica() for _ in range(3)]
    for replica in replicas:
        replica.behaviour = replica.die_before_the_first_byte
    site.start(
        endpoint(*((f"replica-{n}", replica.server.port) for n, replica in enumerate(replicas)))
    )
    with site.openai() as client, pytest.raises(openai.InternalServerError):
        ask(client)
    assert sum(len(replica.received) for replica in replicas) == 2


def test_a_retry_waits_for_the_other_replica_if_that_is_busy(site: Site) -> None:
    bad, busy = site.replica(), site.replica()
    bad.behaviour = bad.die_before_the_first_byte
    site.clear(busy.gate)
    site.start(
        endpoint(("replica-1", bad.server.port), ("replica-2", busy.server.port), concurrency=1)
    )
    with site.socket() as first, site.socket() as second:
        first.sendall(post("/v1/chat/completions", {"model": "tiny-gpt"}))
        site.until(lambda: len(busy.received) == 1)
        second.sendall(post("/v1/chat/completions", {"model": "tiny-gpt"}))
        site.until(lambda: site.queued() == 1)
        site.set(busy.gate)
        assert first.recv(12) == second.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("fault", ["die_mid_stream", "end_early_without_a_length"])
def test_a_death_in_the_middle_of_a_stream_is_told_in_the_stream(site: Site, fault: str) -> None:
    replica, other = site.replica(), site.replica()
    replica.behaviour = getattr(replica, fault)
    other.behaviour = getattr(other, fault)
    site.start(endpoint(("replica-1", replica.server.port), ("replica-2", other.server.port)))
    seen: list[str | None] = []
    with site.openai() as client, pytest.raises(openai.APIError) as failed:
        stream(client, seen)
    assert seen == ["one"]
    assert failed.value.code == "upstream_failed"
    assert len(replica.received) + len(other.received) == 1


def test_a_replica_that_never_answers_is_504(site: Site) -> None:
    replica = site.replica()
    site.clear(replica.gate)
    site.start(
        endpoint(("replica-1", replica.server.port)), limits=Limits(sweep_s=0.05, first_byte_s=0.2)
    )
    with site.openai() as client, pytest.raises(openai.InternalServerError) as failed:
        ask(client)
    assert (failed.value.status_code, failed.value.code) == (504, "upstream_timeout")
    site.until(lambda: replica.abandoned == 1)


def test_silence_in_the_middle_of_a_stream_is_told_in_the_stream(site: Site) -> None:
    replica = site.replica()
    replica.behaviour = replica.die_mid_stream
    site.clear(replica.word_gate)
    site.start(
        endpoint(("replica-1", replica.server.port)),
        limits=Limits(sweep_s=0.05, between_bytes_s=0.2),
    )
    seen: list[str | None] = []
    with site.openai() as client, pytest.raises(openai.APIError) as failed:
        stream(client, seen)
    assert (seen, failed.value.code) == (["one"], "upstream_timeout")
    site.set(replica.word_gate)


def test_a_client_that_leaves_takes_its_request_off_the_replica(site: Site) -> None:
    replica = site.replica()
    site.clear(replica.word_gate)
    site.start(endpoint(("replica-1", replica.server.port), concurrency=1))
    with site.socket() as leaver:
        leaver.sendall(post("/v1/chat/completions", {"model": "tiny-gpt", "stream": True}))
        assert leaver.recv(12) == b"HTTP/1.1 200"
    site.until(lambda: replica.abandoned == 1)
    site.set(replica.word_gate)
    with site.openai() as client:
        assert ask(client) == " ".join(WORDS)


def test_a_connection_that_the_replica_closed_while_idle_is_not_the_clients_problem(
    site: Site,
) -> None:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port)))
    with site.openai() as client:
        for _ in range(5):
            assert ask(client) == " ".join(WORDS)
            site.call(replica.server.stop())
            site.call(replica.server.start())


def test_connections_to_a_replica_are_used_again(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port)))
    with site.openai() as client:
        for _ in range(10):
            ask(client)
    assert replica.server.connections == 1


def test_a_spare_connection_is_closed_before_the_replica_would(site: Site) -> None:
    replica = site.replica()
    site.start(
        endpoint(("replica-1", replica.server.port)), limits=Limits(sweep_s=0.05, spare_s=0.1)
    )
    with site.openai() as client:
        ask(client)
    site.until(lambda: replica.server.open_connections == 0)


def test_a_spare_connection_that_is_too_old_is_not_used(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port)), limits=Limits(spare_s=1e-9))
    with site.openai() as client:
        for _ in range(3):
            ask(client)
    assert replica.server.connections == 3


def test_a_replicas_own_error_is_passed_on_as_it_is(site: Site) -> None:
    replica = site.replica()
    replica.behaviour = replica.refuse_properly
    site.start(endpoint(("replica-1", replica.server.port)))
    with site.openai() as client, pytest.raises(openai.BadRequestError) as refused:
        ask(client)
    assert refused.value.body == {
        "message": "too long",
        "type": "t",
        "param": "messages",
        "code": "c",
    }


def test_a_replicas_plain_error_is_put_in_openais_shape(site: Site) -> None:
    replica = site.replica()
    replica.behaviour = replica.fail_plainly
    site.start(endpoint(("replica-1", replica.server.port)))
    with site.openai() as client, pytest.raises(openai.InternalServerError) as failed:
        ask(client)
    assert (failed.value.status_code, failed.value.code) == (500, "upstream_error")
    assert "CUDA out of memory" in failed.value.message


def test_a_replica_far_slower_than_its_peers_is_left_alone_for_a_while(site: Site) -> None:
    replicas = [site.replica(f"replica-{n}") for n in range(4)]
    ports = ((each.name, each.server.port) for each in replicas)
    site.start(endpoint(*ports), limits=Limits(sweep_s=0.05, slow_s=600.0))
    running = site.running.gateway.endpoints.running["endpoint-1"]

    async def told() -> None:
        for backend in running.backends:
            for _ in range(TIMES_MIN):
                running.answered(backend, 200, 2.0 if backend.id == "replica-3" else 0.1)

    site.call(told())
    site.until(lambda: any(backend.slow for backend in running.backends))
    with site.openai() as client:
        for _ in range(40):
            ask(client)
    assert len(replicas[3].received) == 0
    assert sum(len(each.received) for each in replicas) == 40
