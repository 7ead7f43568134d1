"""The gateway beside others: CPU time per request and per stream, added latency, and memory of open streams.

One process each, the same two backends, interleaved rounds, medians. CPU time is what the kernel counted for the gateway's
processes, so that it holds on a busy machine; latencies are wall-clock and mean something on an idle one.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from benchmarks.figures import Figure, median, percentile
from benchmarks.gateway_load import hold, load, request
from benchmarks.gateway_peers import KEY, Peer, started

ROUNDS = 3
REQUESTS = 4_000
CONCURRENCY = 32
ALONE = 500
STREAMS = 320
HELD = 1_000
BACKENDS = 2
WARM = 200

Measured = dict[str, dict[str, list[float]]]  # by peer, by figure


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as name, _backends() as backends:
        directory = Path(name)
        with started(directory, backends) as peers:
            measured: Measured = {peer.name: {} for peer in peers}
            direct = uvloop.run(_measure(peers, backends[0], measured))
    return _figures(measured, direct)


@contextmanager
def _backends() -> Generator[list[int]]:
    script = Path(__file__).with_name("gateway_backend.py")
    processes = [
        subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
        for _ in range(BACKENDS)
    ]
    try:
        ports: list[int] = []
        for process in processes:
            assert process.stdout is not None
            ports.append(int(process.stdout.readline()))
        yield ports
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def _measure(peers: list[Peer], backend: int, measured: Measured) -> float:
    """Fills `measured`; the p50 of a request without any gateway, in us."""
    direct: list[float] = []
    for peer in peers:
        message = request(peer.port, key=KEY)
        await load(peer.port, message, requests=WARM, concurrency=CONCURRENCY)
    for _ in range(ROUNDS):
        direct.append(await _alone(backend))
        for peer in peers:
            await _requests(peer, measured[peer.name])
            await _streams(peer, measured[peer.name])
    for peer in peers:
        await _held(peer, measured[peer.name])
    return median(direct)


async def _requests(peer: Peer, into: dict[str, list[float]]) -> None:
    message = request(peer.port, key=KEY)
    before_s = peer.cpu_s()
    result = await load(peer.port, message, requests=REQUESTS, concurrency=CONCURRENCY)
    into.setdefault("request", []).append((peer.cpu_s() - before_s) / REQUESTS * 1e6)
    into.setdefault("errors", []).append(result.errors)
    into.setdefault("alone", []).append(await _alone(peer.port))


async def _alone(port: int) -> float:
    result = await load(port, request(port, key=KEY), requests=ALONE, concurrency=1)
    return percentile(result.seconds, 50) * 1e6


async def _streams(peer: Peer, into: dict[str, list[float]]) -> None:
    message = request(peer.port, key=KEY, stream=True)
    before_s = peer.cpu_s()
    result = await load(peer.port, message, requests=STREAMS, concurrency=CONCURRENCY)
    into.setdefault("stream", []).append((peer.cpu_s() - before_s) / STREAMS * 1e6)
    into.setdefault("errors", []).append(result.errors)


async def _held(peer: Peer, into: dict[str, list[float]]) -> None:
    message = request(peer.port, key=KEY, stream=True, hold=True)
    holders, failed = await hold(peer.port, message, streams=HELD)
    into["memory"] = [peer.memory_mb()]
    into["held_errors"] = [failed]
    for holder in holders:
        holder.transport.abort()
    await asyncio.sleep(0.5)


def _figures(measured: Measured, direct: float) -> list[Figure]:
    figures: list[Figure] = []
    names = (
        ("request", "us", "CPU per small request, c=32"),
        ("stream", "us", "CPU per stream of 64 chunks"),
        ("alone", "us", "added p50 at c=1, wall-clock"),
        ("memory", "MB", "memory with 1,000 open streams"),
        ("held_errors", "", "streams of 1,000 that did not open"),
        ("errors", "", "errors"),
    )
    for kind, unit, text in names:
        for peer, values in measured.items():
            value = sum(values[kind]) if kind == "errors" else statistics.median(values[kind])
            value -= direct if kind == "alone" else 0
            goal = _goal(kind, measured, direct) if peer == "gigawatt" else None
            figures.append(Figure(what=f"{text}: {peer}", value=value, unit=unit, goal=goal))
    return figures


def _goal(kind: str, measured: Measured, direct: float) -> float | None:
    def of(peer: str) -> float | None:
        found = measured.get(peer, {}).get(kind)
        return median(found) if found else None

    routers = [value for peer in ("vllm-router", "smg") if (value := of(peer)) is not None]
    if kind == "request":
        nginx = of("nginx")
        return min([*routers, *([4 * nginx] if nginx else [])], default=None)
    if kind == "stream":
        return min(routers) / 3 if routers else None
    if kind == "alone":
        smg = of("smg")
        return None if smg is None else smg - direct
    return 100.0 if kind == "memory" else 0.0
