"""Workspaces: places to work on a node, with a home that outlives them."""

import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.artifacts import Artifacts, Progress
from gigawatt.sdk.errors import ApiError
from gigawatt.sdk.jobfile import Ready, Written, made_ready, read_file
from gigawatt.sdk.logs import LogSource, read_log
from gigawatt.sdk.paging import Listing
from gigawatt.sdk.transport import NOT_FOUND, Transport
from gigawatt.sdk.views import Page
from gigawatt.sdk.workspace_views import OpenView, WorkspaceView

RESTS = frozenset({"suspended", "failed", "deleted"})
LIVE = (
    "preparing",
    "queued",
    "starting",
    "running",
    "suspending",
    "suspended",
    "failed",
    "deleting",
)
PAUSE_MIN_S = 0.05
PAUSE_MAX_S = 0.5


class Workspaces:
    """`client.workspaces`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def make(
        self,
        workspace: "str | Path | Mapping[str, Any] | Written | None" = None,
        *,
        progress: Progress | None = None,
        **fields: Any,
    ) -> WorkspaceView:
        """Make a workspace and start it: a file's path, a mapping, or keywords, which win.

        Raises:
            RefusalError: found wrong before anything was sent.
            ApiError: refused by the API; nothing has changed.
            UnreachableError.
        """
        return self.send(self.ready(workspace, progress=progress, **fields))

    def ready(
        self,
        workspace: "str | Path | Mapping[str, Any] | Written | None" = None,
        *,
        progress: Progress | None = None,
        **fields: Any,
    ) -> Ready:
        """What the API takes, its bundle uploaded. Raises RefusalError, ApiError, UnreachableError."""
        ready = made_ready(_written(workspace).over(fields))
        if ready.bundle is None:
            return ready
        sent = Artifacts(self._transport).send_bundle(ready.bundle, progress=progress)
        return replace(ready, fields={**ready.fields, "bundle": sent.digest}, bundle=None)

    def send(self, ready: Ready) -> WorkspaceView:
        """Make what is ready. Raises ApiError, UnreachableError."""
        return self._changed("POST", "/v1/workspaces", ready.fields)

    def find(self, ref: str) -> WorkspaceView:
        """The workspace of this id or name. Raises ApiError, UnreachableError."""
        return cast("WorkspaceView", self._transport.read(_path(ref), self._transport.place))

    def found(self, ref: str) -> WorkspaceView | None:
        """The same; None where there is none. Raises ApiError, UnreachableError."""
        try:
            return self.find(ref)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def start(self, ref: str) -> WorkspaceView:
        """Start a suspended one again; one that goes already goes on. Raises ApiError, UnreachableError."""
        return self._changed("POST", f"{_path(ref)}/start")

    def suspend(self, ref: str) -> WorkspaceView:
        """Stop its program; its home stays. Raises ApiError, UnreachableError."""
        return self._changed("POST", f"{_path(ref)}/suspend")

    def extend(self, ref: str, by: "str | int") -> WorkspaceView:
        """Have its lease end later: "2h", or seconds. Raises ApiError, UnreachableError."""
        return self._changed("POST", f"{_path(ref)}/extend", {"by": by})

    def delete(self, ref: str, *, purge: bool = False) -> WorkspaceView:
        """Stop and forget it, its home too with `purge`. Raises ApiError, UnreachableError."""
        return self._changed("DELETE", _path(ref), purge=purge)

    def open(self, ref: str) -> OpenView:
        """A link into it that works once. Raises ApiError, UnreachableError."""
        place = self._transport.place
        found = self._transport.write("POST", f"{_path(ref)}/open", params=place)
        return cast("OpenView", found)

    def stages(self, ref: str) -> Generator[WorkspaceView]:
        """What it is until it runs or rests, asked for a few times a second. Raises ApiError, UnreachableError."""
        pause_s = PAUSE_MIN_S
        while True:
            view = self.find(ref)
            yield view
            if view["phase"] == "running" or view["phase"] in RESTS:
                return
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, PAUSE_MAX_S)

    def wait(self, ref: str) -> WorkspaceView:
        """It, once it runs or rests. Raises ApiError, UnreachableError."""
        *_, last = self.stages(ref)
        return last

    def page(self, **filters: Any) -> Page[WorkspaceView]:
        """One page of those that are not deleted, or of the phases asked for. Raises ApiError, UnreachableError."""
        asked = {"phase": LIVE, **self._transport.place, **filters}
        found = self._transport.read("/v1/workspaces", asked)
        return cast("Page[WorkspaceView]", found)

    def list(self, **filters: Any) -> Listing[WorkspaceView]:
        """Every workspace that the filters let through. Raises ApiError, UnreachableError."""
        return Listing(self.page, filters)

    def logs(self, ref: str, *, stream: str = "stderr") -> Iterator[bytes]:
        """What its program has written. Raises ApiError, UnreachableError."""
        return read_log(self._transport, LogSource(path=f"{_path(ref)}/logs", stream=stream))

    def _changed(
        self, method: str, path: str, body: Any = None, **params: "str | bool"
    ) -> WorkspaceView:
        query = {**self._transport.place, **params}
        return cast("WorkspaceView", self._transport.write(method, path, body, params=query))


def _path(ref: str) -> str:
    return f"/v1/workspaces/{quote(ref, safe='')}"


def _written(workspace: "str | Path | Mapping[str, Any] | Written | None") -> Written:
    if isinstance(workspace, Written):
        return workspace
    if isinstance(workspace, Mapping) or workspace is None:
        return Written(kind="workspace", fields=workspace or {}, base=Path.cwd())
    found = read_file(Path(workspace))
    if len(found) != 1 or found[0].kind != "workspace":
        kinds = ", ".join(each.kind for each in found)
        detail = f"{workspace} does not hold one workspace but {kinds}"
        hint = "a workspace's file begins with: kind: workspace"
        raise RefusalError(RefusalCode.INVALID, detail, field="workspace", hint=hint)
    return found[0]
