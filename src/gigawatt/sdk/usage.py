"""Tokens: what was used, and what may be."""

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import quote

from gigawatt.sdk.transport import Transport
from gigawatt.sdk.usage_views import AllowanceView, UsageView


class Usage:
    """`client.usage`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def totals(self, *, by: Sequence[str] = (), **filters: Any) -> UsageView:
        """Requests and tokens summed by subjects: tenant, project, key, model, endpoint, hour. Filters: tenant,
        project, since, until. Raises ApiError, UnreachableError.
        """
        params = {**self._transport.place, **filters, "by": list(by)}
        return cast("UsageView", self._transport.read("/v1/usage", params))

    def allow_key(self, id: str, **amounts: int) -> AllowanceView:
        """Say what a key may have: requests_per_s, tokens_per_min, concurrent, tokens_per_month; 0 is without a limit.
        Raises ApiError, UnreachableError.
        """
        return self._allow(f"/v1/keys/{quote(id, safe='')}/allowance", amounts)

    def allow_project(self, name: str, **amounts: int) -> AllowanceView:
        """The same for all keys together, of one project's endpoints. Raises ApiError, UnreachableError."""
        return self._allow(f"/v1/projects/{quote(name, safe='')}/allowance", amounts)

    def _allow(self, path: str, amounts: dict[str, int]) -> AllowanceView:
        return cast("AllowanceView", self._transport.write("PUT", path, amounts))
