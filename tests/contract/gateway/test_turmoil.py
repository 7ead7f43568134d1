"""Everything at once, by seed: clients that leave, replicas that fail, configurations that change. Nothing may leak."""

import asyncio
import gc
import random
import urllib.request

import pytest

from gigawatt.gateway.limits import Limits
from tests.contract.gateway.replica_double import Behaviour, ReplicaDouble
from tests.contract.gateway.site import ASK, CHAT, Site, endpoint, get, post

pytestmark = pytest.mark.slow

CLIENTS = 24
REQUESTS_EACH = 12
STATUSES = {b"200", b"429", b"502", b"503"}
LIMITS = Limits(sweep_s=0.02, bodies_bytes=2_000_000, shun_s=0.05, report_s=0.02)


async def one_client(port: int, chance: random.Random) -> set[bytes]:
    """Sends requests one after the other, and leaves in the middle of some. The statuses that it saw."""
    seen: set[bytes] = set()
    for _ in range(REQUESTS_EACH):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = {**ASK, "stream": chance.random() < 0.5, "pad": "x" * chance.choice([0, 0, 100_000])}
        request = post(CHAT, body)
        kept = len(request) if chance.random() < 0.8 else chance.randrange(len(request))
        writer.write(request[:kept])
        if chance.random() < 0.7 and kept == len(request):
            head = await reader.readuntil(b"\r\n\r\n")
            seen.add(head.split(b" ")[1])
            if chance.random() < 0.5:
                writer.write(get("/health", extra="connection: close\r\n"))
                await reader.read()
        else:
            for _ in range(chance.randrange(30)):
                await asyncio.sleep(0)
        writer.transport.abort()
    return seen


def trouble(replica: ReplicaDouble, chance: random.Random) -> Behaviour:
    return chance.choice(
        [
            replica.answer,
            replica.answer,
            replica.answer,
            replica.die_before_the_first_byte,
            replica.die_mid_stream,
            replica.die_mid_body,
            replica.talk_nonsense,
            replica.end_early_without_a_length,
        ]
    )


async def all_clients(port: int, seed: int) -> set[bytes]:
    clients = [one_client(port, random.Random(seed * 1000 + n)) for n in range(CLIENTS)]
    return {status for seen in await asyncio.gather(*clients) for status in seen}


def served(replicas: list[ReplicaDouble]) -> dict[str, object]:
    ports = [(replica.name, replica.server.port) for replica in replicas]
    return endpoint(*ports, concurrency=3, queue_max=10, queue_timeout_s=0.3)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_leaks_and_every_answer_is_one_that_can_be(site: Site, seed: int) -> None:
    replicas = [site.replica(f"replica-{n}") for n in range(3)]
    site.start(served(replicas), limits=LIMITS)
    chance = random.Random(seed)
    clients = site.begin(all_clients(site.port, seed))
    while not clients.done():
        for replica in replicas:
            replica.behaviour = trouble(replica, chance)
        site.publish(served(chance.sample(replicas, chance.randrange(len(replicas) + 1))))
        site.publish(served(replicas))
    seen = clients.result()
    for replica in replicas:
        replica.behaviour = replica.answer
    site.publish(served(replicas))
    gateway = site.running.gateway
    site.until(lambda: not gateway.clients)
    site.until(lambda: (site.in_flight(), site.queued(), gateway.bodies_bytes) == (0, 0, 0))
    site.until(lambda: site.control.demands[-1]["in_flight"] == 0)
    assert {backend.in_flight for backend in gateway.endpoints.running["endpoint-1"].backends} == {
        0
    }
    assert b"200" in seen
    assert seen <= STATUSES
    with site.openai() as client:
        assert client.chat.completions.create(model="tiny-gpt", messages=[]).choices


def test_connections_and_requests_leave_no_cycles_behind(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port)))

    async def ask_often() -> int:
        for _ in range(50):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(post(CHAT, ASK, extra="connection: close\r\n"))
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
            writer.close()
            await writer.wait_closed()
        return sum(type(one).__module__.startswith("gigawatt.gateway") for one in gc.garbage)

    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.disable()
        site.call(ask_often())
        gc.collect()
        ours = {type(one).__name__ for one in gc.garbage if "gigawatt" in type(one).__module__}
    finally:
        gc.enable()
        gc.set_debug(0)
        gc.garbage.clear()
    assert ours == set()


def test_the_gateway_says_how_it_is(site: Site) -> None:
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port)))
    with site.openai() as client:
        client.chat.completions.create(model="tiny-gpt", messages=[])
    with urllib.request.urlopen(f"http://127.0.0.1:{site.port}/metrics", timeout=5) as reply:
        lines = reply.read().decode().splitlines()
    assert 'gigawatt_gateway_requests_total{endpoint="endpoint-1",status="200"} 1' in lines
    assert 'gigawatt_gateway_replicas_ready{endpoint="endpoint-1"} 1' in lines
    assert 'gigawatt_gateway_tokens_total{endpoint="endpoint-1",kind="prompt"} 7' in lines
    assert "gigawatt_gateway_control_plane_up 1" in lines
