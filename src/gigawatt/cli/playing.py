"""Requests of a trace, sent to a live endpoint at their times, and what became of each."""

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gigawatt import clock
from gigawatt.sdk.client import Client
from gigawatt.twin.playback import Objective, PlaybackReport, Played, report_of
from gigawatt.twin.requests import MOONCAKE_BLOCK_TOKENS, Request

if TYPE_CHECKING:
    import httpx2

LOOK_S = 0.5  # between looks at the endpoint's replicas
ANSWER_S = 600.0
MILLI = 1000
OK = 200


def play(
    client: Client,
    endpoint: str,
    requests: Sequence[Request],
    objective: Objective,
    *,
    say: Callable[[str], None],
) -> PlaybackReport:
    """Send each at its time, whatever became of those before. Raises ApiError, UnreachableError."""
    view = client.endpoints.find(endpoint)
    gauge = _Replicas(client, endpoint)
    say(f"{len(requests)} requests to {view['name']} over {requests[-1].at_s:.0f} s")
    with gauge:
        played = asyncio.run(
            _play(view["url"], view["served_name"], client.address.token, requests)
        )
    return report_of(
        played, objective, gpu_seconds=gauge.paid_s, cold_starts=len(gauge.seen) - gauge.before
    )


def prompt_of(request: Request) -> str:
    """Text of about as many tokens, which begins as others of the same prefix do."""
    words = [
        word
        for block in request.prefix
        for word in [f"b{block}", *("the",) * (MOONCAKE_BLOCK_TOKENS - 3)]
    ]
    words += [f"r{round(request.at_s * MILLI)}", *("word",) * request.prompt_tokens]
    return " ".join(words[: max(request.prompt_tokens - 2, 1)])


class _Replicas:
    """How long there were how many, looked at now and then in a thread: GPU-seconds, or seconds of those without."""

    def __init__(self, client: Client, endpoint: str) -> None:
        self._client, self._endpoint = client, endpoint
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.seen: set[str] = {each["id"] for each in self._there()}
        self.before = len(self.seen)
        self.paid_s = 0.0

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        last_s, over = clock.monotonic_s(), False
        while not over:
            over = self._over.wait(LOOK_S)  # the last look is at the end, however soon that is
            there = [each for each in self._there() if each["node"]]
            self.seen |= {each["id"] for each in there}
            now_s = clock.monotonic_s()
            self.paid_s += len(there) * (now_s - last_s)
            last_s = now_s

    def _there(self) -> Sequence[Any]:
        return self._client.endpoints.find(self._endpoint)["replicas_list"]


async def _play(url: str, model: str, token: str, requests: Sequence[Request]) -> list[Played]:
    import httpx2

    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(
        limits=limits, timeout=ANSWER_S, headers=headers, trust_env=False
    ) as client:
        began_s = clock.monotonic_s()

        async def one(request: Request) -> Played:
            await asyncio.sleep(max(request.at_s - (clock.monotonic_s() - began_s), 0.0))
            try:
                return await _ask(client, url, model, request)
            except httpx2.HTTPError as error:
                return Played(at_s=request.at_s, error=type(error).__name__)

        return list(await asyncio.gather(*(one(each) for each in requests)))


async def _ask(client: "httpx2.AsyncClient", url: str, model: str, request: Request) -> Played:
    body = {
        "model": model,
        "prompt": prompt_of(request),
        "max_tokens": request.completion_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    sent_s = clock.monotonic_s()
    first_s, end_s, tokens = 0.0, 0.0, 0
    async with client.stream("POST", f"{url}/completions", json=body) as reply:
        if reply.status_code != OK:
            return Played(at_s=request.at_s, error=str(reply.status_code))
        async for line in reply.aiter_lines():
            if not line.startswith("data: {"):
                continue
            event: Any = json.loads(line.removeprefix("data: "))
            if "error" in event:
                return Played(at_s=request.at_s, error=str(event["error"].get("code") or "error"))
            if event.get("choices"):
                end_s = clock.monotonic_s() - sent_s
                first_s = first_s or end_s
            if event.get("usage"):
                tokens = int(event["usage"]["completion_tokens"])
    error = "" if first_s else "no token"
    return Played(at_s=request.at_s, ttft_s=first_s, end_s=end_s, tokens=tokens, error=error)
