"""Requests while workers, replicas and the control plane are killed: each that was answered is billed once, none twice.

What is billed beyond what was answered is at most what was under way at a kill: counted, and then cut off.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.gateway_load import request
from benchmarks.gateway_peers import tree
from benchmarks.http import Api
from benchmarks.instance import Instance, found, running, start

REQUESTS = 10_000
CLIENTS = 8
KILLS = ("worker", "replica", "control plane") * 2
TOLD_S_MAX = 60.0


def run() -> list[Figure]:
    os.environ["GIGAWATT_GATEWAY_WORKERS"] = "2"
    with running(nodes=1) as instance, tempfile.TemporaryDirectory() as name:
        serve(instance, Path(name))
        answered, cut = asyncio.run(_all(instance))
        billed = billed_requests(found(instance.data), answered)
    os.environ.pop("GIGAWATT_GATEWAY_WORKERS")
    note = f"{len(KILLS)} kills, {answered} answered, {cut} cut off or refused"
    return [
        Figure(
            what="answered requests not billed", value=max(answered - billed, 0), unit="", goal=0
        ),
        Figure(
            what="billed beyond answered", value=billed - answered, unit="", goal=cut, note=note
        ),
    ]


def serve(instance: Instance, directory: Path) -> None:
    """Two replicas of a small server, ready."""
    (directory / "weights").write_text("none")
    instance.gw("models", "push", "m", str(directory))
    script = str(Path(__file__).with_name("gateway_backend.py"))
    body = {
        "name": "m",
        "model": "m",
        "command": [sys.executable, script],
        "gang": {"cpus": 0.1},
        "replicas": {"min": 2, "max": 2},
        "concurrency": 64,
    }
    api = Api(instance)
    status, view = api.call("POST", "/v1/endpoints", body)
    assert status in {200, 201}, view
    until = time.monotonic() + 60
    while time.monotonic() < until and len(_pids(api)) < 2:
        time.sleep(0.1)
    api.close()


async def answer(reader: asyncio.StreamReader) -> bool:
    """Whether a whole good reply came. Raises EOFError, OSError."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    at = head.find(b"content-length:")
    await reader.readexactly(int(head[at + 15 :].split(b"\r\n", 1)[0]))
    return head.startswith(b"http/1.1 200")


def billed_requests(instance: Instance, answered: int) -> int:
    """Requests that usage tells, once it does not grow any more."""
    until, billed = time.monotonic() + TOLD_S_MAX, -1
    while time.monotonic() < until:
        time.sleep(2)
        before = billed
        items = json.loads(instance.gw("usage", "--by", "endpoint", "-o", "json"))["items"]
        billed = sum(item["requests"] for item in items)
        if billed == before and billed >= answered:
            break
    return billed


def _pids(api: Api) -> list[int]:
    _, view = api.call("GET", "/v1/endpoints/m")
    return [replica["pid"] for replica in view["replicas_list"] if replica["ready"]]


async def _all(instance: Instance) -> tuple[int, int]:
    """How many were answered, and how many sent were not."""
    port = int(instance.gateway_url.rpartition(":")[2])
    message = request(port, key=instance.token)
    counts = {"answered": 0, "cut": 0}
    killing = asyncio.create_task(_kill(instance, counts))
    await asyncio.gather(*(_client(port, message, counts) for _ in range(CLIENTS)))
    await killing
    return counts["answered"], counts["cut"]


async def _client(port: int, message: bytes, counts: dict[str, int]) -> None:
    while counts["answered"] < REQUESTS:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        try:
            while counts["answered"] < REQUESTS:
                writer.write(message)
                counts["answered" if await answer(reader) else "cut"] += 1
        except (OSError, EOFError):
            counts["cut"] += 1
        finally:
            writer.close()


async def _kill(instance: Instance, counts: dict[str, int]) -> None:
    for number, what in enumerate(KILLS, start=1):
        await asyncio.to_thread(_wait_for, REQUESTS * number // (len(KILLS) + 1), counts)
        await asyncio.to_thread(_kill_one, found(instance.data), what)


def _wait_for(answered: int, counts: dict[str, int]) -> None:
    """Wait until as many are answered."""
    while counts["answered"] < answered:
        time.sleep(0.02)


def _kill_one(instance: Instance, what: str) -> None:
    if what == "control plane":
        ports = [int(url.rpartition(":")[2]) for url in (instance.api_url, instance.gateway_url)]
        instance.kill()
        start(instance.data, ports=(ports[0], ports[1]))
        return
    if what == "worker":
        parent: dict[str, Any] = json.loads(
            (instance.data / "gateway" / "process.json").read_text()
        )
        victims = tree(parent["pid"])[1:]
    else:
        api = Api(instance)
        victims = _pids(api)
        api.close()
    if victims:
        os.kill(victims[0], signal.SIGKILL)
