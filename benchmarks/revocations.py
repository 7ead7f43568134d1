"""How long a gateway goes on taking a key after the API has said that it is revoked, in all of its workers.

Timed from the API's answer until every one of the connections that are open, spread over the workers, is answered 401. Once
while all is well, and once after the control plane was killed and has come back, when the gateway has to find it again.
"""

import asyncio
import os
import time
from pathlib import Path
from statistics import quantiles

from benchmarks.figures import Figure
from benchmarks.http import Api
from benchmarks.instance import Instance, found, running, start

WORKERS = 3
CONNECTIONS = 12
REVOCATIONS = 120
RESTARTS = 6
DOWN_S = 5.0  # so long that the gateway asks no more often than it does at most
SEEN_S_MAX = 30.0
GOAL_MS = 1_000


def run() -> list[Figure]:
    os.environ["GIGAWATT_GATEWAY_WORKERS"] = str(WORKERS)
    try:
        with running(nodes=1) as instance:
            well = [_revoked(instance) for _ in range(REVOCATIONS)]
            back = [_restarted(instance.data) for _ in range(RESTARTS)]
    finally:
        os.environ.pop("GIGAWATT_GATEWAY_WORKERS")
    cuts = quantiles(well, n=100)
    note = f"{REVOCATIONS} revocations, {WORKERS} workers, {CONNECTIONS} connections"
    name = "a revoked key is refused by every worker"
    return [
        Figure(what=f"{name}, p50", value=cuts[49], unit="ms", goal=GOAL_MS, note=note),
        Figure(what=f"{name}, p99", value=cuts[98], unit="ms", goal=GOAL_MS),
        Figure(
            what=f"{name}, after a restart of the control plane, longest",
            value=max(back),
            unit="ms",
            goal=GOAL_MS,
            note=f"{RESTARTS} restarts, {DOWN_S:g} s after kill -9; from the answer of the API that is back",
        ),
    ]


def _revoked(instance: Instance) -> float:
    """Milliseconds from the API's answer to the last refusal."""
    api = Api(instance)
    key_id, key = _made(api)
    took_ms = asyncio.run(_timed(instance, api, key_id, key))
    api.close()
    return took_ms


def _restarted(data: Path) -> float:
    """The same, of a key that is revoked as soon as the control plane is back."""
    instance = found(data)
    api = Api(instance)
    key_id, key = _made(api)
    asyncio.run(_taken(instance, key))
    api.close()
    ports = [int(url.rpartition(":")[2]) for url in (instance.api_url, instance.gateway_url)]
    instance.kill()
    time.sleep(DOWN_S)
    instance = start(instance.data, ports=(ports[0], ports[1]))
    api = Api(instance)
    took_ms = asyncio.run(_timed(instance, api, key_id, key))
    api.close()
    return took_ms


def _made(api: Api) -> tuple[str, str]:
    status, view = api.call("POST", "/v1/keys", {"name": "b", "role": "developer"})
    assert status in {200, 201}, view
    return view["id"], view["key"]


async def _timed(instance: Instance, api: Api, key_id: str, key: str) -> float:
    await _taken(instance, key)
    watched = [await _open(instance) for _ in range(CONNECTIONS)]
    status, view = await asyncio.to_thread(api.call, "DELETE", f"/v1/keys/{key_id}")
    began_s = time.monotonic()
    assert status in {200, 204}, view
    await asyncio.gather(*(_until(each, key, refused=True) for each in watched))
    took_ms = (time.monotonic() - began_s) * 1_000
    for _, writer in watched:
        writer.close()
    return took_ms


async def _taken(instance: Instance, key: str) -> None:
    """Wait until every worker that answers takes the key."""
    watched = [await _open(instance) for _ in range(CONNECTIONS)]
    await asyncio.gather(*(_until(each, key, refused=False) for each in watched))
    for _, writer in watched:
        writer.close()


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _open(instance: Instance) -> Connection:
    port = int(instance.gateway_url.rpartition(":")[2])
    return await asyncio.open_connection("127.0.0.1", port)


async def _until(connection: Connection, key: str, *, refused: bool) -> None:
    reader, writer = connection
    message = f"GET /v1/models HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    async with asyncio.timeout(SEEN_S_MAX):
        while True:
            writer.write(message)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            at = head.find(b"content-length:")
            await reader.readexactly(int(head[at + 15 :].split(b"\r\n", 1)[0]))
            status = head.split(b" ", 2)[1]
            assert status in {b"200", b"401"}, head
            if (status == b"401") is refused:
                return
            await asyncio.sleep(0.002)
