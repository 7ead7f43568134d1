"""A supervisor as a batch system starts it: who may speak to it, what it is given, and when it ends."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gigawatt.engine.base import StaleEpochError
from gigawatt.engine.local.link import Link, LinkLostError, RefusedError
from gigawatt.engine.supervisor.job import CALL, JobSpec, proof
from gigawatt.engine.supervisor.serve import put_beside_ranks
from tests.contract.engine.peer import PROGRAM, a_spec
from tests.waiting import until

pytestmark = pytest.mark.slow

KEY = "j.1"
TOKEN = "t0ken"
EPOCH = 3


class Started:
    """One that serves `j.1` on a node called n, with two GPUs of the batch system's."""

    def __init__(self, root: Path, *, stage_s: float = 60.0) -> None:
        self.file = root / "jobs" / "start.json"
        self.file.parent.mkdir(parents=True)
        (root / "epoch").write_text(str(EPOCH))
        put_beside_ranks(root / "python")
        spec = JobSpec(
            key=KEY,
            instance="0123456789abcdef",
            nodes_dir=str(root / "nodes"),
            node_variable="SLURMD_NODENAME",
            addresses={"n": "127.0.0.1"},
            token=TOKEN,
            call=("127.0.0.1", 9),
            epoch_file=str(root / "epoch"),
            python=str(root / "python"),
            stage_s=stage_s,
            orphan_s=60.0,
        )
        self.file.write_text(json.dumps(spec._asdict()))
        told = {"SLURMD_NODENAME": "n", "CUDA_VISIBLE_DEVICES": "4,5", "SLURM_PROCID": "0"}
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(PROGRAM), "--job", str(self.file)],
            env={**os.environ, **told},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.port = json.loads(until(self._address, what="its address"))["port"]

    def _address(self) -> str | None:
        path = self.file.with_name("start.n.at")
        return path.read_text() if path.exists() else None


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    supervisor = Started(tmp_path)
    yield supervisor
    supervisor.process.terminate()
    supervisor.process.wait(30)


def spoken(started: Started, talk: Callable[[Link], Awaitable[Any]], *, token: str = TOKEN) -> Any:
    """What comes of talking to it, once we have proven ourselves."""

    async def talked() -> Any:
        link = Link(lambda _: None, lambda _: None)
        try:
            mac = await link.dial("127.0.0.1", started.port, token=token)
            await link.ask("prove", mac=mac)
            return await talk(link)
        finally:
            await link.close()

    return asyncio.run(talked())


async def staged(link: Link, **fields: Any) -> dict[str, Any]:
    spec = a_spec(KEY, **fields)
    return await link.ask("stage", epoch=EPOCH, spec=spec, secrets={})


def test_who_does_not_know_the_token_is_not_let_in(started: Started) -> None:
    async def nothing(_: Link) -> None:
        return

    with pytest.raises(RefusedError, match="not the attempt's supervisor"):
        spoken(started, nothing, token="another")


def test_nothing_is_answered_before_the_proof(started: Started) -> None:
    async def unproven() -> None:
        link = Link(lambda _: None, lambda _: None)
        try:
            await link.dial("127.0.0.1", started.port, token=TOKEN)
            await link.ask("inventory")
        finally:
            await link.close()

    with pytest.raises((RefusedError, LinkLostError)):
        asyncio.run(unproven())


def test_a_wrong_proof_closes_the_connection(started: Started) -> None:
    async def wrong() -> None:
        link = Link(lambda _: None, lambda _: None)
        try:
            await link.dial("127.0.0.1", started.port, token=TOKEN)
            with pytest.raises(RefusedError, match="who are you"):
                await link.ask("prove", mac="0" * 64)
            with pytest.raises(LinkLostError):
                await link.ask("prove", mac="0" * 64)
        finally:
            await link.close()

    asyncio.run(wrong())


def test_it_believes_the_epoch_that_others_have_seen(started: Started) -> None:
    async def deposed(link: Link) -> None:
        await link.ask("hello", epoch=EPOCH - 1)

    with pytest.raises(StaleEpochError):
        spoken(started, deposed)


def test_ranks_share_the_devices_that_it_was_given(started: Started, tmp_path: Path) -> None:
    ranks = [{"rank": each, "local_rank": each, "gpus": [f"n/gpu{each}"]} for each in range(2)]
    out = tmp_path / "out"
    script = f"echo $RANK $CUDA_VISIBLE_DEVICES ${{SLURM_PROCID-none}} >> {out}"

    async def run(link: Link) -> None:
        command = ["sh", "-c", script]
        told = await staged(link, command=command, ranks=ranks, node_has_gpus=True, world_size=2)
        await link.ask("go", epoch=EPOCH, key=KEY, master_port=told["master_port"], port=0)

    spoken(started, run)
    assert started.process.wait(30) == 0  # with its attempt
    assert sorted(out.read_text().splitlines()) == ["0 4 none", "1 5 none"]


def test_more_devices_than_were_given_are_refused(started: Started) -> None:
    ranks = [{"rank": 0, "local_rank": 0, "gpus": ["a", "b", "c"]}]
    with pytest.raises(RefusedError, match="3 GPUs were asked for, 2 were given"):
        spoken(started, lambda link: staged(link, ranks=ranks))


def test_it_ends_when_nobody_tells_it_anything(tmp_path: Path) -> None:
    assert Started(tmp_path, stage_s=0.2).process.wait(30) == 0


def test_a_call_cannot_be_taken_for_a_proof() -> None:
    facts = ("a", "b")
    assert len({proof(TOKEN, who, *facts) for who in (CALL, "engine", "supervisor")}) == 3
