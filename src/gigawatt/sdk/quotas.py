"""What projects may use, and what they do use."""

from typing import Any, cast
from urllib.parse import quote

from gigawatt.sdk.quota_views import LimitsView, QuotaView
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import Page

DEFAULT_PROJECT = "default"


class Quotas:
    """`client.quotas`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, **filters: Any) -> Page[QuotaView]:
        """One page of projects. Raises ApiError, UnreachableError."""
        return cast("Page[QuotaView]", self._transport.read("/v1/quotas", filters))

    def find(self) -> QuotaView:
        """Of the client's project. Raises ApiError, UnreachableError."""
        return cast("QuotaView", self._transport.read(self._path()))

    def change(self, **terms: Any) -> QuotaView:
        """Set what the client's project may use; what is not named stays as it is.

        `quota` and `limit` are mappings of gpus, cpus, memory and kinds (a mapping of kinds of GPU), None to have nothing said, `limit` also of
        replicas and storage; `weight`, `borrow`, and
        `parent`, empty for the tenant. Raises ApiError, UnreachableError.
        """
        return cast("QuotaView", self._transport.write("PUT", self._path(), terms))

    def limits(self) -> LimitsView:
        """Everything that the client's project may have, and what it has. Raises ApiError, UnreachableError."""
        return cast("LimitsView", self._transport.read(self._path("limits")))

    def _path(self, what: str = "quota") -> str:
        project = self._transport.place.get("project") or DEFAULT_PROJECT
        return f"/v1/projects/{quote(str(project), safe='')}/{what}"
