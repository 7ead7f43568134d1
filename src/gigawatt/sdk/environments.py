"""Environments: locked sets of packages, built once and shared."""

import time
from collections.abc import Callable, Iterator, Mapping
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
        found = self._transport.write("POST", "/v1/environments", dict(spec))
        return cast("EnvironmentView", found)

    def find(self, id: str) -> EnvironmentView:
        """Raises ApiError, UnreachableError."""
        path = f"/v1/environments/{quote(id, safe='')}"
        return cast("EnvironmentView", self._transport.read(path))

    def wait(
        self,
        id: str,
        *,
        timeout_s: float | None = None,
        on_change: Callable[[EnvironmentView], None] | None = None,
    ) -> EnvironmentView:
        """Wait until it is built or has failed; `on_change` is told what it is while it is being built.

        Raises:
            TimeoutError: it is still being built after `timeout_s`.
            ApiError, UnreachableError.
        """
        until_s = None if timeout_s is None else clock.monotonic_s() + timeout_s
        pause_s = PAUSE_MIN_S
        view = self.find(id)
        while view["phase"] == BUILDING:
            if on_change is not None:
                on_change(view)
            if until_s is not None and clock.monotonic_s() >= until_s:
                raise TimeoutError(f"{id} is still being built after {timeout_s} s")
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, PAUSE_MAX_S)
            view = self.find(id)
        return view

    def page(self, **filters: Any) -> Page[EnvironmentView]:
        """One page; filters as for jobs. Raises ApiError, UnreachableError."""
        return cast("Page[EnvironmentView]", self._transport.read("/v1/environments", filters))

    def list(self, **filters: Any) -> Iterator[EnvironmentView]:
        """Every environment that the filters let through. Raises ApiError, UnreachableError."""
        return pages(self.page, filters)
