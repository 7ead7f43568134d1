"""What it costs to know who calls and whether it may: processor time of one request's check, and of a refusal."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.figures import Figure
from gigawatt import clock
from gigawatt.model.change import Batch
from gigawatt.model.refusal import RefusalError
from gigawatt.model.tenant import DEFAULT_TENANT, ApiKey, Role
from gigawatt.service.authenticate import Keyring
from gigawatt.service.permissions import may, sees
from gigawatt.service.tokens import KEY_BYTES, Owner, RankTokens, new_key
from gigawatt.store import open_store

KEYS = 1_000
CALLS = 50_000
GOAL_US = 100


def run() -> list[Figure]:
    return asyncio.run(_run())


async def _run() -> list[Figure]:
    with TemporaryDirectory() as directory:
        store = open_store(f"sqlite:///{Path(directory) / 'gigawatt.db'}")
        store.migrate()
        secrets = [_key(n) for n in range(KEYS)]
        epoch = store.lead(holder="benchmark", now_ms=0, lease_ms=1)
        store.commit(Batch(puts=[key for _, key in secrets]), epoch=epoch, now_ms=0)
        keyring = Keyring(store, RankTokens(clock.entropy(32)))
        headers = [f"Bearer {secret}" for secret, _ in secrets]

        async def good(n: int) -> None:
            caller = await keyring.authenticate(headers[n % KEYS], address="10.0.0.1")
            assert may(caller, "jobs.page")
            assert sees(caller, DEFAULT_TENANT, "default")

        async def guessed(n: int) -> None:
            try:
                await keyring.authenticate(f"Bearer gw_{n}", address="10.0.0.2")
            except RefusalError:
                return

        for n in range(KEYS):
            await good(n)
        figures = [
            Figure(
                what="who calls, and may it: key known",
                value=await _cpu_us(good, CALLS),
                unit="us CPU",
                goal=GOAL_US,
                note=f"{CALLS} calls by {KEYS} keys",
            ),
            Figure(
                what="  a guess from an address that is locked out",
                value=await _cpu_us(guessed, CALLS),
                unit="us CPU",
                goal=GOAL_US,
            ),
        ]
        store.close()
    return figures


def _key(n: int) -> tuple[str, ApiKey]:
    owner = Owner(
        tenant=DEFAULT_TENANT, project="", name=f"k{n}", role=Role.DEVELOPER, created_by="benchmark"
    )
    return new_key(owner, entropy=clock.entropy(KEY_BYTES), now_ms=clock.now_ms())


async def _cpu_us(call: Callable[[int], Awaitable[None]], times: int) -> float:
    """The processor time of one call, of the whole process, on average."""
    began_s = time.process_time()
    for n in range(times):
        await call(n)
    return (time.process_time() - began_s) / times * 1e6
