"""The conformance suite on a real Slurm cluster, each case a test."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigawatt.engine.conformance import CASES, Report, run
from gigawatt.engine.slurm import SlurmCommands, SlurmEngine
from tests.contract.engine.slurm.faulty import slurm_faults
from tests.slurm_cluster import SlurmCluster

pytestmark = pytest.mark.slow

CHECKS = {"checks-say-how-a-node-is", "checks-give-way-to-gangs"}
NOT_CLAIMED = {"isolation-process", "isolation-user", "isolation-node"} | CHECKS


@pytest.fixture(scope="module")
def report(cluster: SlurmCluster) -> Iterator[Report]:
    """One run of the whole suite."""
    with tempfile.TemporaryDirectory(prefix="gw-", ignore_cleanup_errors=True) as directory:
        data = Path(directory)
        slurm = SlurmCommands(cluster.environ)
        yield asyncio.run(
            run(lambda: SlurmEngine(data, slurm), faults=slurm_faults(cluster), scratch=data)
        )


@pytest.mark.parametrize("name", list(CASES))
def test_the_slurm_engine_conforms(report: Report, name: str) -> None:
    case = next(case for case in report.cases if case.name == name)
    wanted = "unsupported" if name in NOT_CLAIMED else "passed"
    assert (case.result, case.evidence) == (wanted, case.evidence)
