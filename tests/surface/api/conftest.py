"""A directory and a way to run scenarios on a site of one's own."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.surface.api.site import Site, running_site

T = TypeVar("T")

Play = Callable[[Callable[[Site], Awaitable[object]]], None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Runs a scenario on a fresh site with two nodes of two CPUs."""

    def played(scenario: Callable[[Site], Awaitable[object]]) -> None:
        async def run() -> None:
            async with running_site(tmp_path) as site:
                await scenario(site)

        asyncio.run(run())

    return played
