"""Environments: locked sets of packages, built once and shared."""

import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote

from gigawatt import clock
from gigawatt.sdk.paging import pages
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import EnvironmentView, Page

BUILDING = "building"
PAUSE_MIN_S = 0.1
PAUSE_MAX_S = 0.5


class Environments:
    """`client.environments`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def build(self, spec: Mapping[str, Any]) -> EnvironmentView:
        """Ask for an environment, e.g. `{"kind": "uv", "requirements": ["numpy"]}`: the one there is, or a new build.

        Raises ApiError, UnreachableError.
        """
        found = self._transport.write(
            "POST", "/v1/environments", dict(spec), params=self._transport.place
        )
        return cast("EnvironmentView", found)

    def find(self, id: str) -> EnvironmentView:
        """Raises ApiError, UnreachableError."""
        path = f"/v1/environments/{quote(id, safe='')}"
        return cast("EnvironmentView", self._transport.read(path))

    def stages(self, id: str) -> Generator[EnvironmentView]:
        """What it is while it is being built, asked for a few times a second; the last is of its end.

        Raises ApiError, UnreachableError.
        """
        pause_s = PAUSE_MIN_S
        while True:
            view = self.find(id)
            yield view
            if view["phase"] != BUILDING:
                return
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, PAUSE_MAX_S)

    def wait(self, id: str, *, timeout_s: float | None = None) -> EnvironmentView:
        """Wait until it is built or has failed.

        Raises:
            TimeoutError: it is still being built after `timeout_s`.
            ApiError, UnreachableError.
        """
        began_s = clock.monotonic_s()
        view = self.find(id)
        for view in self.stages(id):
            late = timeout_s is not None and clock.monotonic_s() - began_s > timeout_s
            if late and view["phase"] == BUILDING:
                raise TimeoutError(f"{id} is still being built after {timeout_s} s")
        return view

    def page(self, **filters: Any) -> Page[EnvironmentView]:
        """One page; filters as for jobs. Raises ApiError, UnreachableError."""
        return cast(
            "Page[EnvironmentView]",
            self._transport.read("/v1/environments", {**self._transport.place, **filters}),
        )

    def list(self, **filters: Any) -> Iterator[EnvironmentView]:
        """Every environment that the filters let through. Raises ApiError, UnreachableError."""
        return pages(self.page, filters)
