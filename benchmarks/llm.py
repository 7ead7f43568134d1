"""A real model: a herd of requests at an endpoint that is scaled to zero, and prompts that begin alike at two replicas.

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

import httpx2

from benchmarks.figures import Figure, percentile
from benchmarks.http import Api
from benchmarks.instance import Instance, running

HERD = 200
CHATS, TURNS = 9, 3  # an odd number of chats, so that by turns each goes to both
WORDS = [
    "one",
    "river",
    "was",
    "wide",
    "and",
    "its",
    "water",
    "cold",
    "so",
    "that",
    "nobody",
    "swam",
    "there",
    "before",
    "the",
    "summer",
    "had",
    "come",
]
PROMPT = "one two three four five six seven eight"
ZERO_S = 60.0
CALL_S = 300.0
OK, CREATED = 200, 201


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
        return [*herd(instance), *prefixes(instance)]


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


def prefixes(instance: Instance) -> list[Figure]:
    """Chats of three turns at two replicas: by the gateway with `routing: prefix`, and straight to them in turns."""
    affine, turns = (_timed(instance, name) for name in ("affine", "turns"))
    ours, theirs = statistics.median(affine), statistics.median(turns)
    return [
        Figure(
            what="prefix affinity: TTFT p50 of round robin's",
            value=ours / theirs,
            unit="ratio",
            goal=0.5,
            note=f"{ours:.2f} and {theirs:.2f} s; {CHATS} chats of {TURNS} turns, 2 at a time",
        )
    ]


def _timed(instance: Instance, name: str) -> list[float]:
    """Of an endpoint of its own, which is gone after."""
    api = Api(instance)
    body = {
        "name": name,
        "model": "smollm2",
        "runtime": "llamacpp",
        "context": 512,
        "concurrency": 2,
        "routing": "prefix",
        "gang": {"cpus": 0.25},
        "replicas": {"min": 2, "max": 2},
    }
    status, told = api.call("POST", "/v1/endpoints", body)
    assert status in {OK, CREATED}, told
    urls = _two(api, name)
    api.close()
    if name == "affine":
        urls = [f"{instance.gateway_url}/v1/completions"]
    times = asyncio.run(_chats(urls, name, instance.token))
    instance.gw("endpoints", "stop", name)
    return times


def _two(api: Api, name: str) -> list[str]:
    deadline_s = time.monotonic() + ZERO_S
    while True:
        view: dict[str, Any] = api.call("GET", f"/v1/endpoints/{name}")[1]
        ports = [each["port"] for each in view["replicas_list"] if each["ready"]]
        if len(ports) == 2:
            return [f"http://127.0.0.1:{port}/v1/completions" for port in ports]
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not two replicas in {ZERO_S} s: {view['phase']}")
        time.sleep(0.1)


async def _chats(urls: list[str], model: str, token: str) -> list[float]:
    """Seconds to the first byte of each turn. Chats take turns, two requests at a time; URLs are taken in turns too."""
    turns = [(chat, turn) for turn in range(TURNS) for chat in range(CHATS)]
    times: list[float] = []
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(timeout=CALL_S, headers=headers, trust_env=False) as client:

        async def work() -> None:
            while turns:
                chat, turn = turns.pop(0)
                story = " ".join(
                    f"{WORDS[(chat * 7 + n * (chat + 1)) % len(WORDS)]}" for n in range(150)
                )
                prompt = f"{chat} {story} " + "and then? " * turn
                body = {"model": model, "prompt": prompt, "max_tokens": 1, "stream": True}
                url = urls[len(times) % len(urls)] if len(urls) > 1 else urls[0]
                began_s = time.monotonic()
                times.append(0.0)
                place = len(times) - 1
                async with client.stream("POST", url, json=body) as reply:
                    async for _ in reply.aiter_bytes():
                        times[place] = times[place] or time.monotonic() - began_s
                assert reply.status_code == OK, reply.status_code

        await asyncio.gather(work(), work())
    return times


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
