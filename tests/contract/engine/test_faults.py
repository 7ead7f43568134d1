"""Supervisors killed and control planes replaced at any moment of a launch, by seed.

Whatever happens, a rank of an attempt starts at most once, every attempt comes to an end, and nothing is left.
"""

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gigawatt.engine.conformance.bench import Bench
from gigawatt.engine.local.files import instance_id
from gigawatt.engine.supervisor import tree
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.observation import AttemptGone, LaunchAccepted, LaunchFailed
from tests.contract.engine.leading import engine_of, leading

pytestmark = pytest.mark.slow

LAUNCHES = 12
TURNS_MAX = 3000  # of the event loop, before a fault comes
NODES = ("node-0", "node-1")

Fault = Callable[[Bench, asyncio.Task[AttemptKey], random.Random], Awaitable[None]]


@pytest.mark.parametrize("seed", range(4))
def test_faults_neither_start_a_rank_twice_nor_leave_anything(data: Path, seed: int) -> None:
    chance = random.Random(seed)
    trace = data.parent / "trace"

    async def story() -> None:
        async with leading(data, nodes=2) as bench:
            for _ in range(LAUNCHES):
                launch = _a_gang(bench, trace, chance)
                fault = chance.choice([_kill, _replace, _nothing])
                await _launch_under(bench, launch, fault, chance)
                if chance.random() < 0.5:
                    await bench.restart()
                await _end(bench, _key(launch))

    asyncio.run(story())
    starts = Counter(trace.read_text().splitlines()) if trace.exists() else Counter[str]()
    assert [rank for rank, count in starts.items() if count > 1] == []
    marker = f"{instance_id(data)}/"
    assert [tree.all_marked(marker=marker, node=node) for node in NODES] == [[], []]


def _a_gang(bench: Bench, trace: Path, chance: random.Random) -> Launch:
    seconds = chance.choice(["0.02", "300"])
    script = f"echo $GIGAWATT_JOB $RANK >> {trace}; (setsid sleep 300 &); sleep {seconds}"
    return bench.build("sh", "-c", script, nodes=tuple(chance.sample(NODES, chance.choice([1, 2]))))


async def _launch_under(bench: Bench, launch: Launch, fault: Fault, chance: random.Random) -> None:
    """Launch, and go on as a leader would after the fault, until the launch is known to be whole or to have failed."""
    launching = asyncio.create_task(bench.launch(launch))
    for _ in range(chance.randrange(TURNS_MAX)):
        await asyncio.sleep(0)
    await fault(bench, launching, chance)
    await asyncio.gather(launching, return_exceptions=True)
    key = _key(launch)
    if not bench.told(LaunchAccepted, key) and not bench.told(LaunchFailed, key):
        await bench.launch(launch)
    await bench.wait(LaunchAccepted, LaunchFailed, key=key)


async def _kill(bench: Bench, _launching: asyncio.Task[AttemptKey], chance: random.Random) -> None:
    pid = engine_of(bench).supervisor_pid(chance.choice(NODES))
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def _replace(
    bench: Bench, launching: asyncio.Task[AttemptKey], _chance: random.Random
) -> None:
    launching.cancel()
    await asyncio.gather(launching, return_exceptions=True)
    await bench.restart()


async def _nothing(
    _bench: Bench, _launching: asyncio.Task[AttemptKey], _chance: random.Random
) -> None:
    """Not every launch meets one."""


async def _end(bench: Bench, key: AttemptKey) -> None:
    await bench.engine.stop(key, grace_s=0.1, epoch=bench.epoch)
    await bench.wait(AttemptGone, LaunchFailed, key=key)
    await bench.engine.release(key, epoch=bench.epoch)


def _key(launch: Launch) -> AttemptKey:
    return AttemptKey(gang=launch.gang, attempt=launch.attempt)
