"""A real model at an endpoint that is scaled to zero: a herd of requests, and one cold start.

SmolLM2 on llama.cpp; needs an index of packages that has both. Times are wall-clock.
"""

import asyncio
import json
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from benchmarks.figures import Figure, percentile
from benchmarks.http import Api
from benchmarks.instance import Instance, running

HERD = 200
PROMPT = "one two three four five six seven eight"
ZERO_S = 60.0
CALL_S = 300.0
OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Seconds since the herd began; `status` is HTTP's."""

    status: int
    first_byte_s: float


def run() -> list[Figure]:
    """A figure for each promise about a herd."""
    with running() as instance:
        try:
            instance.gw("serve", "llm", "--concurrency", "2", "--tokens", "256", "--idle", "2s")
        except subprocess.CalledProcessError as error:
            print(f"skipped: {error.stderr.strip()}")
            return []
        instance.gw("chat", "smollm2", "Hello", "--max-tokens", "1")  # once, so that files are read
        return herd(instance)


def herd(instance: Instance) -> list[Figure]:
    """Of an endpoint that rests at zero soon."""
    api = Api(instance)
    _rests(api)
    before = _starts(instance)
    answers = asyncio.run(_herd(instance))
    view = api.call("GET", "/v1/endpoints/smollm2")[1]
    starts = _starts(instance) - before
    api.close()
    cold_s = sum(view["start"].values()) / 1000
    first_s = min(each.first_byte_s for each in answers)
    answered = sum(each.status == OK for each in answers)
    times = [each.first_byte_s for each in answers]
    stages = ", ".join(f"{name[:-3]} {ms} ms" for name, ms in view["start"].items())
    spread = f"median {statistics.median(times):.1f} s, p99 {percentile(times, 99):.1f} s"
    return [
        Figure(
            what=f"herd of {HERD} at zero: answered",
            value=answered,
            unit="requests",
            goal=HERD,
            at_least=True,
            note=spread,
        ),
        Figure(what="herd at zero: cold starts", value=starts, unit="starts", goal=1),
        Figure(
            what="herd at zero: first byte after the cold start",
            value=first_s - cold_s,
            unit="s",
            goal=0.3,
            note=f"first byte {first_s:.2f} s, cold start {cold_s:.2f} s: {stages}",
        ),
    ]


async def _herd(instance: Instance) -> list[Answer]:
    """On connections that are open already, by plain sockets: what a client library does is not measured."""
    place = urlsplit(instance.gateway_url)
    body = json.dumps({"model": "smollm2", "prompt": PROMPT, "max_tokens": 1}).encode()
    head = (
        f"POST /v1/completions HTTP/1.1\r\nhost: {place.netloc}\r\n"
        f"authorization: Bearer {instance.token}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body
    opened = [await asyncio.open_connection(place.hostname, place.port) for _ in range(HERD)]
    began_s = time.monotonic()
    for _, writer in opened:
        writer.write(request)

    async def answer(reader: asyncio.StreamReader) -> Answer:
        told = await reader.readuntil(b"\r\n\r\n")
        return Answer(status=int(told.split()[1]), first_byte_s=time.monotonic() - began_s)

    async with asyncio.timeout(CALL_S):
        answers = await asyncio.gather(*(answer(reader) for reader, _ in opened))
    for _, writer in opened:
        writer.close()
    return answers


def _rests(api: Api) -> None:
    deadline_s = time.monotonic() + ZERO_S
    while True:
        view: dict[str, Any] = api.call("GET", "/v1/endpoints/smollm2")[1]
        if view["phase"] == "zero" and not view["replicas_list"]:
            return
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not at zero in {ZERO_S} s: {view['phase']}")
        time.sleep(0.1)


def _starts(instance: Instance) -> int:
    """Replicas that were made since the instance began."""
    told: Any = json.loads(instance.gw("events", "--kind", "replica.created", "-o", "json"))
    return len(told["items"])
