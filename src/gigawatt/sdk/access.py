"""Who may call: tenants, projects and API keys."""

from typing import Any, cast
from urllib.parse import quote

from gigawatt.sdk.account_views import KeyView, ProjectView, TenantView
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import Page


class Tenants:
    """`client.tenants`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, **filters: Any) -> Page[TenantView]:
        """One page. Raises ApiError, UnreachableError."""
        return cast("Page[TenantView]", self._transport.read("/v1/tenants", filters))

    def show(self, id: str) -> TenantView:
        """Raises ApiError, UnreachableError."""
        return cast("TenantView", self._transport.read(f"/v1/tenants/{quote(id, safe='')}"))

    def create(self, id: str) -> TenantView:
        """A tenant with its default project. Raises ApiError, UnreachableError."""
        return cast("TenantView", self._transport.write("POST", "/v1/tenants", {"id": id}))

    def set_isolation(self, id: str, isolation: str, *, version: int | None = None) -> TenantView:
        """The class that all it starts from now on has at least: none, process or user. Raises ApiError, UnreachableError."""
        path = f"/v1/tenants/{quote(id, safe='')}/isolation"
        body = {"isolation": isolation}
        return cast("TenantView", self._transport.write("PUT", path, body, if_match=version))


class Projects:
    """`client.projects`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, **filters: Any) -> Page[ProjectView]:
        """One page. Raises ApiError, UnreachableError."""
        return cast("Page[ProjectView]", self._transport.read("/v1/projects", filters))

    def create(self, name: str) -> ProjectView:
        """Raises ApiError, UnreachableError."""
        return cast("ProjectView", self._transport.write("POST", "/v1/projects", {"name": name}))


class Keys:
    """`client.keys`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, **filters: Any) -> Page[KeyView]:
        """One page; no key's secret is in it. Raises ApiError, UnreachableError."""
        return cast("Page[KeyView]", self._transport.read("/v1/keys", filters))

    def create(self, name: str, *, role: str, **fields: Any) -> KeyView:
        """A new key; the answer holds the secret, once. `fields` are as in the API's KeyRequest; empty ones are left out.

        Raises ApiError, UnreachableError.
        """
        body = {"name": name, "role": role, **{each: it for each, it in fields.items() if it}}
        return cast("KeyView", self._transport.write("POST", "/v1/keys", body))

    def rotate(self, id: str, *, overlap_s: int, expires_ms: int = 0) -> KeyView:
        """A successor; the old key stays good for `overlap_s`. Raises ApiError, UnreachableError."""
        body = {"overlap_s": overlap_s, "expires_ms": expires_ms}
        path = f"/v1/keys/{quote(id, safe='')}/rotate"
        return cast("KeyView", self._transport.write("POST", path, body))

    def revoke(self, id: str) -> None:
        """From now on the key is refused. Raises ApiError, UnreachableError."""
        self._transport.write("DELETE", f"/v1/keys/{quote(id, safe='')}")
