"""2 GB into the store and out of it on this machine, beside `cp` of the same file in the same rounds; and by HTTP.

Bounds are of the processor time that copying and hashing took in the same round, spread over all cores: no program that
does both is faster, whatever else it does. A push also waits for the disk, which is what `sync` does after `cp`.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xxhash import xxh3_128

from benchmarks.figures import Figure, median
from benchmarks.instance import Instance, running
from gigawatt.sdk.client import Client
from gigawatt.sdk.fetch import fetch_tree

SIZE_BYTES = 2_000_000_000
ROUNDS = 3
CHUNK_BYTES = 1 << 24
SHARE_GOAL = 80.0  # percent of cp
MB = 1_000_000

CP, CP_SYNC, PUSH, PULL = "cp", "cp, then sync", "push", "pull"
SHA256, XXH3 = "SHA-256, one thread", "XXH3, one thread"
COPIED_SHA256, COPIED_XXH3 = "bound of cp with SHA-256", "bound of cp with XXH3"
HTTP_PUSH, HTTP_PULL = "push by HTTP, in parts", "pull by HTTP"


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="gigawatt-bench-") as place:
        source = Path(place) / "model" / "weights.dat"
        source.parent.mkdir()
        _fill(source)
        with running() as instance:
            taken = _measured(instance, source)
    return [
        *(_share(name, CP, taken) for name in (PUSH, PULL)),
        _share(PUSH, CP_SYNC, taken),
        *(_share(name, CP, taken) for name in (COPIED_SHA256, CP_SYNC)),
        *(_rate(name, times) for name, times in taken.items()),
    ]


def _share(name: str, other: str, taken: dict[str, list[float]]) -> Figure:
    """The median of the rounds' own shares: what else the machine did in a round falls on both."""
    shares = [100 * theirs / ours for ours, theirs in zip(taken[name], taken[other], strict=True)]
    return Figure(
        what=f"2 GB {name}, of the throughput of {other}",
        value=median(shares),
        unit="%",
        goal=SHARE_GOAL if name in {PUSH, PULL} else None,
        at_least=True,
        note={PUSH: "acknowledged when durable", PULL: "verified"}.get(name, ""),
    )


def _rate(name: str, times: list[float]) -> Figure:
    rates = [SIZE_BYTES / MB / each for each in times]
    note = "rounds: " + ", ".join(f"{rate:.0f}" for rate in rates)
    return Figure(what=f"2 GB: {name}", value=median(rates), unit="MB/s", note=note)


def _measured(instance: Instance, source: Path) -> dict[str, list[float]]:
    """Each in turn, so that what else the machine does falls on all of them. The first round warms up, uncounted."""
    taken: dict[str, list[float]] = {}
    with Client(api_url=instance.api_url, token=instance.token) as client:
        for count in range(ROUNDS + 1):
            for name, seconds in _round(instance, client, source, by_http=count == 1):
                if count:
                    taken.setdefault(name, []).append(seconds)
    return taken


def _round(
    instance: Instance, client: Client, source: Path, *, by_http: bool
) -> list[tuple[str, float]]:
    target, out = source.parents[1] / "copy", source.parents[1] / "out"
    stored = instance.data / "artifacts" / "sha256"
    _settle(source)
    copy = _timed(lambda: _cp(source, target))
    _settle(source)
    synced = _timed(lambda: _cp(source, target, sync=True))
    sha256, quick = _timed(lambda: _hashed(source)), _timed(lambda: _hashed(source, xxh3_128))
    target.unlink()
    times = [
        (CP, copy.wall_s),
        (CP_SYNC, synced.wall_s),
        (SHA256, sha256.wall_s),
        (XXH3, quick.wall_s),
        (COPIED_SHA256, _bound_s(copy, sha256)),
        (COPIED_XXH3, _bound_s(copy, quick)),
    ]
    for push, pull in ((PUSH, PULL), (HTTP_PUSH, HTTP_PULL))[: 1 + by_http]:
        transport = client._transport  # noqa: SLF001 - to send bytes, as from another machine
        if push == HTTP_PUSH:
            transport.__dict__["handoff"] = None
        _change(source)
        _settle(source)
        begin = time.perf_counter()
        digest = client.artifacts.send_tree(source.parent).digest
        times.append((push, time.perf_counter() - begin))
        _settle(source)
        begin = time.perf_counter()
        fetch_tree(transport, digest, out)
        times.append((pull, time.perf_counter() - begin))
        transport.__dict__.pop("handoff", None)
        shutil.rmtree(out)
        for path in stored.glob("??/*"):
            path.unlink()
    return times


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Seconds by the clock, and of processors."""

    wall_s: float
    cpu_s: float


def _timed(call: Callable[[], object]) -> Taken:
    begin, used = time.perf_counter(), sum(os.times()[:4])
    call()
    return Taken(wall_s=time.perf_counter() - begin, cpu_s=sum(os.times()[:4]) - used)


def _bound_s(*steps: Taken) -> float:
    """Each step is one thread's work, all at the same time."""
    spread_s = sum(each.cpu_s for each in steps) / (os.cpu_count() or 1)
    return max(spread_s, *(each.cpu_s for each in steps))


def _settle(source: Path) -> None:
    """The same start for each: nothing waits for the disk, and there is free memory that was in use just now. A virtual
    machine's host takes back what has been free for a while, and whoever is next would pay for it.
    """
    os.sync()
    scratch = source.parents[1] / "scratch"
    _cp(source, scratch)
    scratch.unlink()


def _cp(source: Path, target: Path, *, sync: bool = False) -> None:
    target.unlink(missing_ok=True)
    subprocess.run(["cp", str(source), str(target)], check=True)
    if sync:
        subprocess.run(["sync", str(target)], check=True)


def _hashed(source: Path, new: Callable[[], Any] = hashlib.sha256) -> None:
    with source.open("rb") as file:
        hashlib.file_digest(file, new)


def _fill(path: Path) -> None:
    """Bytes that no disk can make fewer."""
    with path.open("wb") as file:
        for start in range(0, SIZE_BYTES, CHUNK_BYTES):
            file.write(os.urandom(min(CHUNK_BYTES, SIZE_BYTES - start)))
        os.fsync(file.fileno())


def _change(path: Path) -> None:
    """Make it a file that the store has not seen."""
    with path.open("r+b") as file:
        file.write(os.urandom(16))
        os.fsync(file.fileno())
