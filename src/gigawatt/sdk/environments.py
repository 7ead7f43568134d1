"""Environments: locked sets of packages, built once and shared."""

import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote

from gigawatt import clock
from gigawatt.sdk.paging import pages
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import (
    EnvironmentCheckView,
    EnvironmentDiffView,
    EnvironmentPruneView,
    EnvironmentView,
    Page,
)

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

    def diff(self, before: str, after: str) -> EnvironmentDiffView:
        """How two environments differ, each by its id or by a job that uses it. Raises ApiError, UnreachableError."""
        path = f"/v1/environments/{quote(before, safe='')}/diff"
        params = {**self._transport.place, "to": after}
        return cast("EnvironmentDiffView", self._transport.read(path, params))

    def verify(self, id: str) -> EnvironmentCheckView:
        """Check every file of it against what was built. Raises ApiError, UnreachableError."""
        path = f"/v1/environments/{quote(id, safe='')}/verify"
        return cast("EnvironmentCheckView", self._transport.write("POST", path))

    def prune(
        self,
        *,
        unused_for: str | int | None = None,
        keep: str | int | None = None,
        dry_run: bool = False,
    ) -> EnvironmentPruneView:
        """Remove environments that nobody uses: all that were not used for a time ("14d"), or only as many as leave
        the rest within a size ("50GB"). Raises ApiError, UnreachableError.
        """
        wanted = {"unused_for": unused_for, "keep": keep, "dry_run": dry_run}
        body = {name: value for name, value in wanted.items() if value is not None}
        found = self._transport.write(
            "POST", "/v1/environments/prune", body, params=self._transport.place
        )
        return cast("EnvironmentPruneView", found)

    def page(self, **filters: Any) -> Page[EnvironmentView]:
        """One page; filters as for jobs. Raises ApiError, UnreachableError."""
        return cast(
            "Page[EnvironmentView]",
            self._transport.read("/v1/environments", {**self._transport.place, **filters}),
        )

    def list(self, **filters: Any) -> Iterator[EnvironmentView]:
        """Every environment that the filters let through. Raises ApiError, UnreachableError."""
        return pages(self.page, filters)
