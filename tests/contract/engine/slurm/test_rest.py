"""The same engine by slurmrestd: what goes another way, on a real one."""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gigawatt.engine.conformance import Report, run
from gigawatt.engine.slurm import (
    Bearer,
    SlurmCommands,
    SlurmEngine,
    SlurmRest,
    TokenOfFile,
    TokenOfSlurm,
)
from gigawatt.engine.slurm.batch import Batch
from gigawatt.engine.slurm.client import SlurmRefusedError, SlurmUnavailableError
from tests.contract.engine.slurm.faulty import cluster_faults
from tests.slurm_cluster import SlurmCluster
from tests.waiting import until

pytestmark = pytest.mark.slow

CASES = (
    "gang-starts-whole",
    "same-attempt-twice-starts-once",
    "cordoned-node-starts-nothing",
    "stop-is-idempotent",
    "adoption-keeps-processes",
    "stop-during-a-launch-leaves-nothing",
    "silence-is-no-death",
)


@pytest.fixture(scope="module")
def url(cluster: SlurmCluster) -> str:
    return cluster.start_rest()


@pytest.fixture(scope="module")
def report(cluster: SlurmCluster, url: str) -> Iterator[Report]:
    with tempfile.TemporaryDirectory(prefix="gw-", ignore_cleanup_errors=True) as directory:
        data = Path(directory)
        slurm = rest(cluster, url)
        faults = cluster_faults(cluster)
        yield asyncio.run(
            run(lambda: SlurmEngine(data, slurm), only=CASES, faults=faults, scratch=data)
        )


@pytest.mark.parametrize("name", CASES)
def test_the_engine_conforms_by_rest(report: Report, name: str) -> None:
    case = next(case for case in report.cases if case.name == name)
    assert (case.result, case.evidence) == ("passed", case.evidence)


def rest(cluster: SlurmCluster, url: str) -> SlurmRest:
    commands = SlurmCommands(cluster.environ)
    return SlurmRest(url, Bearer(TokenOfSlurm(commands)), commands)


BATCH = Batch(
    name="gw-try-1",
    nodes=("n1", "n2"),
    cpus=2,
    memory_mib=100,
    gpu_kind="h100",
    gpus=2,
    script="#!/bin/sh\nsleep 300\n",
    output="/dev/null",
)


def test_both_ways_tell_the_same_of_nodes_and_jobs(cluster: SlurmCluster, url: str) -> None:
    commands, by_rest = SlurmCommands(cluster.environ), rest(cluster, url)

    async def tried() -> None:
        number = await by_rest.submit(BATCH)

        def running() -> bool:
            return "JobState=RUNNING" in cluster.run("scontrol", "-o", "show", "job", str(number))

        await asyncio.to_thread(until, running, what="the job to run")
        one = next(job for job in await commands.jobs() if job.id == number)
        assert one == next(job for job in await by_rest.jobs() if job.id == number)
        assert (one.nodes, one.cpus, one.memory_mib) == (("n1", "n2"), 4, 200)
        nodes = {node.name: node for node in await commands.nodes("half")}
        assert nodes == {node.name: node for node in await by_rest.nodes("half")}
        assert nodes["n1"].allocated_gpus == 2
        told = cluster.run("scontrol", "-o", "show", "job", str(number))
        assert "Requeue=0" in told
        await by_rest.cancel((number, 999_999))
        await by_rest.close()

    asyncio.run(tried())
    until(lambda: not cluster.run("squeue", "-h"), what="no job in Slurm")


def test_what_slurm_refuses_by_rest_is_told_with_its_reason(
    cluster: SlurmCluster, url: str
) -> None:
    async def tried() -> None:
        slurm = rest(cluster, url)
        with pytest.raises(SlurmRefusedError, match="Invalid partition"):
            await slurm.submit(replace(BATCH, options=("-p", "nowhere")))
        with pytest.raises(SlurmRefusedError, match="--begin"):
            await slurm.submit(replace(BATCH, options=("--begin=now",)))
        assert await slurm.describe(999_999) == ""
        await slurm.close()

    asyncio.run(tried())


def test_a_token_that_was_taken_back_is_replaced_by_what_the_file_holds_then(
    cluster: SlurmCluster, url: str, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    printed = cluster.run("scontrol", "token", "lifespan=60")
    path.write_text(printed[:-8] + "AAAAAAA\n")

    async def tried() -> None:
        slurm = SlurmRest(url, Bearer(TokenOfFile(path)), SlurmCommands(cluster.environ))
        with pytest.raises(SlurmUnavailableError):
            await slurm.nodes("")
        path.write_text(printed)
        assert len(await slurm.nodes("")) == 4
        await slurm.close()

    asyncio.run(tried())


def test_without_slurmrestd_nothing_is_known(cluster: SlurmCluster) -> None:
    async def tried() -> None:
        with pytest.raises(SlurmUnavailableError, match="does not answer"):
            await rest(cluster, "http://127.0.0.1:1").jobs()

    asyncio.run(tried())
