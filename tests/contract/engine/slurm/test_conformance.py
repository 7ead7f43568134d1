"""The conformance suite on a real Slurm cluster, each case a test."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigawatt.engine.conformance import CASES, Report, run
from gigawatt.engine.conformance.slurm import detour_of, slurm_faults
from gigawatt.engine.slurm import SlurmCommands, SlurmEngine
from gigawatt.engine.slurm.client import SlurmUnavailableError
from tests.contract.engine.matrix import as_documented
from tests.contract.engine.slurm.faulty import cluster_faults
from tests.slurm_cluster import SlurmCluster

pytestmark = pytest.mark.slow

OPERATORS = ("silence-is-no-death", "killed-supervisor-loses-its-ranks-alone")


@pytest.fixture(scope="module")
def report(cluster: SlurmCluster) -> Iterator[Report]:
    """One run of the whole suite."""
    with tempfile.TemporaryDirectory(prefix="gw-", ignore_cleanup_errors=True) as directory:
        data = Path(directory)
        slurm = SlurmCommands(cluster.environ)
        yield asyncio.run(
            run(lambda: SlurmEngine(data, slurm), faults=cluster_faults(cluster), scratch=data)
        )


@pytest.mark.parametrize("name", list(CASES))
def test_the_slurm_engine_conforms(report: Report, name: str) -> None:
    case = next(case for case in report.cases if case.name == name)
    found, wanted = as_documented(case, "slurm")
    assert found == wanted


def test_an_operator_needs_no_daemon_killed_for_silence_and_killed_supervisors(
    cluster: SlurmCluster, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", cluster.environ["SLURM_CONF"])

    async def tried() -> Report:
        detour = await detour_of(SlurmCommands(), data)
        assert detour is not None
        return await run(
            lambda: SlurmEngine(data, detour),
            only=(*OPERATORS, "lost-node-is-noticed"),
            faults=slurm_faults(detour),
            scratch=data,
        )

    report = asyncio.run(tried())
    results = {case.name: case.result for case in report.cases}
    assert results == {**dict.fromkeys(OPERATORS, "passed"), "lost-node-is-noticed": "unsupported"}
    assert "--lose-node" in report.cases[-1].evidence


def test_while_it_is_lost_a_detour_reaches_no_controller(
    cluster: SlurmCluster, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", cluster.environ["SLURM_CONF"])

    async def told() -> set[str]:
        detour = await detour_of(SlurmCommands(), data)
        assert detour is not None
        detour.lost = True
        with pytest.raises(SlurmUnavailableError):
            await detour.nodes("")
        detour.lost = False
        return {node.name for node in await detour.nodes("")}

    assert asyncio.run(told()) == set(cluster.nodes)
