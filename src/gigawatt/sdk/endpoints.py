"""Endpoints: named model services."""

import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.artifacts import Artifacts, Progress
from gigawatt.sdk.endpoint_views import EndpointDryRunView, EndpointView, RevisionView
from gigawatt.sdk.jobfile import Ready, Written, made_ready, read_file
from gigawatt.sdk.live import Live
from gigawatt.sdk.logs import LogSource, read_log
from gigawatt.sdk.paging import Listing
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import Page

SETTLED = frozenset({"ready", "zero", "failed", "stopped"})
PAUSE_S = 0.25


class Endpoints:
    """`client.endpoints`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def serve(
        self,
        endpoint: "str | Path | Mapping[str, Any] | Written | None" = None,
        *,
        progress: Progress | None = None,
        **fields: Any,
    ) -> EndpointView:
        """Make an endpoint, or give the one of this name a new spec: a file's path, a mapping, or keywords.

        Raises:
            RefusalError: found wrong before anything was sent.
            ApiError: refused by the API; nothing has changed.
            UnreachableError.
        """
        ready = made_ready(_written(endpoint).over(fields))
        return self.send(self.with_bundle(ready, progress=progress))

    def with_bundle(self, ready: Ready, *, progress: Progress | None = None) -> Ready:
        """The same with its bundle uploaded. Raises RefusalError, ApiError, UnreachableError."""
        if ready.bundle is None:
            return ready
        sent = Artifacts(self._transport).send_bundle(ready.bundle, progress=progress)
        return replace(ready, fields={**ready.fields, "bundle": sent.digest}, bundle=None)

    def send(self, ready: Ready) -> EndpointView:
        """Create or replace what is ready. Raises ApiError, UnreachableError."""
        params = self._transport.place
        found = self._transport.write("POST", "/v1/endpoints", ready.fields, params=params)
        return cast("EndpointView", found)

    def dry_run(self, ready: Ready) -> EndpointDryRunView:
        """What would happen if this were served now. Raises ApiError, UnreachableError."""
        params = {**self._transport.place, "dry_run": True}
        found = self._transport.write("POST", "/v1/endpoints", ready.fields, params=params)
        return cast("EndpointDryRunView", found)

    def find(self, ref: str) -> EndpointView:
        """The endpoint of this id or name. Raises ApiError, UnreachableError."""
        return cast("EndpointView", self._transport.read(_path(ref), self._transport.place))

    def steer(self, ref: str, steer: str, *, to: int = 0, reason: str = "") -> EndpointView:
        """Have a rollout `promote`, `rollback`, `pause` or `resume`; without one, roll back to revision `to` by a new one.

        Raises ApiError, UnreachableError.
        """
        body = {"steer": steer, "to": to, "reason": reason}
        params = self._transport.place
        found = self._transport.write("POST", f"{_path(ref)}/rollout", body, params=params)
        return cast("EndpointView", found)

    def revisions(self, ref: str) -> Listing[RevisionView]:
        """The revisions that an endpoint has had, newest first. Raises ApiError, UnreachableError."""

        def page(**filters: Any) -> Page[RevisionView]:
            params = {**self._transport.place, **filters}
            found = self._transport.read(f"{_path(ref)}/revisions", params)
            return cast("Page[RevisionView]", found)

        return Listing(page, {})

    def live(self, ref: str, *, replica: str = "", rank: int = 0) -> Live:
        """A replica that runs (default: any): to talk to commands beside it, to its ports, and to copy from and to it."""
        params = {"replica": replica, "rank": rank, **self._transport.place}
        return Live(address=self._transport.address, path=_path(ref), params=params)

    def stop(self, ref: str) -> EndpointView:
        """Delete an endpoint; its replicas are stopped. Raises ApiError, UnreachableError."""
        place = self._transport.place
        return cast("EndpointView", self._transport.write("DELETE", _path(ref), params=place))

    def stages(self, ref: str) -> Generator[EndpointView]:
        """What it is until it serves, has failed or rests at zero, asked for a few times a second.

        Raises ApiError, UnreachableError.
        """
        while True:
            view = self.find(ref)
            yield view
            if view["phase"] in SETTLED:
                return
            time.sleep(PAUSE_S)

    def page(self, **filters: Any) -> Page[EndpointView]:
        """One page; filters as for jobs. Raises ApiError, UnreachableError."""
        return cast(
            "Page[EndpointView]",
            self._transport.read("/v1/endpoints", {**self._transport.place, **filters}),
        )

    def list(self, **filters: Any) -> Listing[EndpointView]:
        """Every endpoint that the filters let through. Raises ApiError, UnreachableError."""
        return Listing(self.page, filters)

    def logs(self, ref: str, *, replica: str = "", stream: str = "stdout") -> Iterator[bytes]:
        """What a replica (default: the newest) has written. Raises ApiError, UnreachableError."""
        source = LogSource(path=f"{_path(ref)}/logs", replica=replica, stream=stream)
        return read_log(self._transport, source)


def _path(ref: str) -> str:
    return f"/v1/endpoints/{quote(ref, safe='')}"


def _written(endpoint: "str | Path | Mapping[str, Any] | Written | None") -> Written:
    if isinstance(endpoint, Written):
        return endpoint
    if isinstance(endpoint, Mapping) or endpoint is None:
        return Written(kind="endpoint", fields=endpoint or {}, base=Path.cwd())
    found = read_file(Path(endpoint))
    if len(found) != 1 or found[0].kind != "endpoint":
        detail = f"{endpoint} does not hold one endpoint but {', '.join(x.kind for x in found)}"
        hint = "an endpoint's file begins with: kind: endpoint"
        raise RefusalError(RefusalCode.INVALID, detail, field="endpoint", hint=hint)
    return found[0]
