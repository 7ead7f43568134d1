"""One Slurm cluster for all tests here, and an engine on it for each."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm_cluster import SlurmCluster, running_slurm


@pytest.fixture(scope="session")
def cluster() -> Iterator[SlurmCluster]:
    with running_slurm() as running:
        yield running


@pytest.fixture
def data() -> Iterator[Path]:
    """A directory that all nodes see."""
    with tempfile.TemporaryDirectory(prefix="gw-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)
