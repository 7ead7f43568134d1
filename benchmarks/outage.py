"""A gateway whose control plane is gone for ten minutes: what it serves, and what is billed once that is back."""

import asyncio
import json
import tempfile
import time
import urllib.request
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.gateway_load import request
from benchmarks.instance import found, running, start
from benchmarks.metering import answer, billed_requests, serve

OUTAGE_S = 600.0
BEFORE_S = 5.0
CLIENTS = 4
PAUSE_S = 0.05  # of a client, between requests
CAUGHT_UP_S_MAX = 120.0


def run() -> list[Figure]:
    with running(nodes=1) as instance, tempfile.TemporaryDirectory() as name:
        serve(instance, Path(name))
        ports = [int(url.rpartition(":")[2]) for url in (instance.api_url, instance.gateway_url)]
        message = request(ports[1], key=instance.token)
        before = asyncio.run(_all(ports[1], message, BEFORE_S))
        instance.kill()
        during = asyncio.run(_all(ports[1], message, OUTAGE_S))
        began_s = time.monotonic()
        start(instance.data, ports=(ports[0], ports[1]))
        back_s = _control_is_up(ports[1], began_s)
        answered = before["answered"] + during["answered"]
        billed = billed_requests(found(instance.data), answered)
    note = f"{OUTAGE_S:.0f} s without a control plane, {answered} answered"
    return [
        Figure(
            what="requests that failed meanwhile", value=during["cut"], unit="", goal=0, note=note
        ),
        Figure(what="answered, not billed", value=max(answered - billed, 0), unit="", goal=0),
        Figure(what="billed, not answered", value=max(billed - answered, 0), unit="", goal=0),
        Figure(what="from its start until they talk", value=back_s, unit="s"),
    ]


def _control_is_up(port: int, began_s: float) -> float:
    """Seconds until the gateway says that the control plane answers."""
    while time.monotonic() - began_s < CAUGHT_UP_S_MAX:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as reply:
            if json.load(reply)["control_plane"] == "up":
                break
        time.sleep(0.05)
    return time.monotonic() - began_s


async def _all(port: int, message: bytes, for_s: float) -> dict[str, int]:
    """How many were answered, and how many were not."""
    counts = {"answered": 0, "cut": 0}
    until_s = time.monotonic() + for_s
    await asyncio.gather(*(_client(port, message, counts, until_s) for _ in range(CLIENTS)))
    return counts


async def _client(port: int, message: bytes, counts: dict[str, int], until_s: float) -> None:
    while time.monotonic() < until_s:
        writer = None
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while time.monotonic() < until_s:
                writer.write(message)
                counts["answered" if await answer(reader) else "cut"] += 1
                await asyncio.sleep(PAUSE_S)
        except (OSError, EOFError):
            counts["cut"] += 1
        finally:
            if writer is not None:
                writer.close()
