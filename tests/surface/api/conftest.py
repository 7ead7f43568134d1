"""A directory and a way to run scenarios on a site of one's own."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.oidc_server import OidcServer, oidc_server
from tests.surface.api.signing import Scenario, signing_in
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


@pytest.fixture
def idp() -> Iterator[OidcServer]:
    with oidc_server() as server:
        yield server


@pytest.fixture
def sign_in(play: Play, idp: OidcServer) -> Callable[[Scenario], None]:
    def played(scenario: Scenario, **fields: Any) -> None:
        async def with_provider(site: Site) -> None:
            site.services.sign_in = signing_in(site, idp, **fields)
            await scenario(site, idp)

        play(with_provider)

    return played
