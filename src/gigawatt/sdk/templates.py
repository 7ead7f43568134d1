"""Templates: job files with parameters, kept by the instance."""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

from gigawatt.sdk.jobfile import Ready, TemplateUse, Written, made_ready
from gigawatt.sdk.jobhandle import Job
from gigawatt.sdk.standing_views import TemplateView
from gigawatt.sdk.submission import sent, with_bundle
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import Page


class Templates:
    """`client.templates`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def push(self, name: str, ready: Ready) -> TemplateView:
        """Make it the newest version; its bundle is uploaded first. Raises RefusalError, ApiError, UnreachableError."""
        whole = with_bundle(self._transport, ready)
        body = {"file": whole.fields}
        found = self._transport.write("PUT", _path(name), body, params=self._transport.place)
        return cast("TemplateView", found)

    def page(self, **filters: Any) -> Page[TemplateView]:
        """One page, without their files. Raises ApiError, UnreachableError."""
        params = {**self._transport.place, **filters}
        return cast("Page[TemplateView]", self._transport.read("/v1/templates", params))

    def find(self, name: str, *, number: int = 0) -> TemplateView:
        """One version, 0 for the newest, with its parameters and its file. Raises ApiError, UnreachableError."""
        params = {**self._transport.place, "number": number}
        return cast("TemplateView", self._transport.read(_path(name), params))

    def remove(self, name: str) -> None:
        """Raises ApiError, UnreachableError."""
        self._transport.write("DELETE", _path(name), params=self._transport.place)

    def submit(
        self,
        name: str,
        parameters: Mapping[str, object] | None = None,
        *,
        number: int = 0,
        **changes: Any,
    ) -> Job:
        """A job that is made of it, with fields changed by keywords. Raises RefusalError, ApiError, UnreachableError."""
        from pathlib import Path

        use = TemplateUse(name=name, number=number, parameters=dict(parameters or {}))
        ready = made_ready(Written(kind="job", fields=changes, base=Path.cwd()), template=use)
        whole = with_bundle(self._transport, ready)
        return Job(self._transport, sent(self._transport, whole))


def _path(name: str) -> str:
    return f"/v1/templates/{quote(name, safe='')}"
