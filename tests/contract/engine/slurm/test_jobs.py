"""What the engine asks of Slurm, and what becomes of a launch that Slurm does not start."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gigawatt.engine.conformance.bench import NO_FAULTS, Bench
from gigawatt.engine.slurm import SlurmCommands, SlurmEngine, SlurmOptions, shut_down_jobs
from gigawatt.model.observation import AttemptGone, LaunchAccepted, LaunchFailed, RankStarted
from gigawatt.model.refusal import RefusalError
from gigawatt.model.resources import Resources
from tests.slurm_cluster import SlurmCluster
from tests.waiting import until

pytestmark = pytest.mark.slow

GANGS = 6
CYCLES = 3


class Counting(SlurmCommands):
    """The real commands, and how often each was run."""

    def __init__(self, environ: dict[str, str]) -> None:
        super().__init__(environ)
        self.ran: list[str] = []

    async def _run(self, *command: str, **more: Any) -> str:
        self.ran.append(command[0])
        return await super()._run(*command, **more)


@asynccontextmanager
async def leading(
    data: Path, slurm: SlurmCommands, options: SlurmOptions | None = None
) -> AsyncGenerator[Bench]:
    """A bench that leads; what it launched is stopped at the end."""
    bench = Bench(
        lambda: SlurmEngine(data, slurm, options=options),
        faults=NO_FAULTS,
        epoch=1,
        scratch=data,
        tag="test",
    )
    await bench.start("test")
    try:
        yield bench
    finally:
        await bench.finish()


def test_slurm_is_asked_once_a_cycle_and_not_once_a_job(cluster: SlurmCluster, data: Path) -> None:
    slurm = Counting(cluster.environ)

    async def tried() -> tuple[int, int]:
        async with leading(data, slurm) as bench:
            launches = [bench.build("sleep", "300", nodes=(node,)) for node in bench.nodes[:1]]
            launches += [bench.build("sleep", "300") for _ in range(GANGS - 1)]
            for key in await asyncio.gather(*map(bench.launch, launches)):
                await bench.wait(RankStarted, key=key)
            before = len(slurm.ran)
            await asyncio.to_thread(
                until, lambda: slurm.ran[before:].count("sinfo") >= CYCLES, what="cycles"
            )
            asked = slurm.ran[before:]
            return asked.count("squeue"), len(asked)

    squeues, all_of_them = asyncio.run(tried())
    assert squeues <= CYCLES + 1
    assert all_of_them <= 2 * CYCLES + 1
    assert slurm.ran.count("sbatch") == GANGS


def test_what_slurm_refuses_fails_with_its_reason(cluster: SlurmCluster, data: Path) -> None:
    async def tried() -> LaunchFailed:
        options = SlurmOptions(options=("--partition=nowhere",))
        async with leading(data, SlurmCommands(cluster.environ), options) as bench:
            key = await bench.launch(bench.build("true"))
            return await bench.wait(LaunchFailed, key=key)

    failed = asyncio.run(tried())
    assert "invalid partition" in failed.reason
    assert not failed.user


def test_a_share_of_a_gpu_is_the_users_mistake(cluster: SlurmCluster, data: Path) -> None:
    async def tried() -> LaunchFailed:
        async with leading(data, SlurmCommands(cluster.environ)) as bench:
            half = bench.build("true", per_rank=Resources(milli_gpu=500))
            return await bench.wait(LaunchFailed, key=await bench.launch(half))

    failed = asyncio.run(tried())
    assert "whole GPUs" in failed.reason
    assert failed.user


def test_a_job_has_its_number_and_no_job_is_left_when_all_is_shut_down(
    cluster: SlurmCluster, data: Path
) -> None:
    slurm = SlurmCommands(cluster.environ)

    async def tried() -> LaunchAccepted:
        async with leading(data, slurm) as bench:
            key = await bench.launch(bench.build("sleep", "300"))
            return await bench.wait(LaunchAccepted, key=key)

    assert asyncio.run(tried()).reference.startswith("Slurm job ")
    asyncio.run(shut_down_jobs(data, slurm))
    until(lambda: not cluster.run("squeue", "-h"), what="no job in Slurm")


def test_only_the_nodes_of_the_partition_are_told(cluster: SlurmCluster, data: Path) -> None:
    async def tried() -> tuple[str, ...]:
        options = SlurmOptions(partition="half")
        async with leading(data, SlurmCommands(cluster.environ), options) as bench:
            return bench.nodes

    assert asyncio.run(tried()) == ("n1", "n2")


def test_without_a_controller_nothing_is_opened(cluster: SlurmCluster, data: Path) -> None:
    text = Path(cluster.environ["SLURM_CONF"]).read_text()
    conf = data / "slurm.conf"
    conf.write_text(re.sub(r"(?m)^SlurmctldPort=.*$", "SlurmctldPort=1", text))
    slurm, options = SlurmCommands({"SLURM_CONF": str(conf)}), SlurmOptions(patience_s=0)
    engine = SlurmEngine(data, slurm, options=options)
    with pytest.raises(RefusalError, match="Slurm does not answer"):
        asyncio.run(engine.open(epoch=1))


def test_gangs_that_end_leave_nothing_of_theirs_behind(cluster: SlurmCluster, data: Path) -> None:
    async def tried() -> None:
        async with leading(data, SlurmCommands(cluster.environ)) as bench:
            key = await bench.launch(bench.build("true", nodes=bench.nodes[:2]))
            await bench.wait(AttemptGone, key=key)
            await bench.engine.release(key, epoch=bench.epoch)
            jobs = data / "slurm" / "jobs"
            await asyncio.to_thread(until, lambda: not list(jobs.iterdir()), what="no job")

    asyncio.run(tried())
    assert list(data.glob("nodes/*/alone/*")) == []
    assert list(data.glob("nodes/*/live/*")) == []
