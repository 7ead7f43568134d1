"""Data directories whose supervisors are ended with the test."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigawatt.engine.local import shut_down_supervisors


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Of one instance. Whatever the test leaves running there is stopped, and nothing may resist it."""
    path = tmp_path / "data"
    yield path
    assert asyncio.run(shut_down_supervisors(path, grace_s=0)) == []
