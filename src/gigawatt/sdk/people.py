"""People and service accounts of a tenant, and what they hold."""

from typing import Any, cast
from urllib.parse import quote

from gigawatt.sdk.account_views import MemberView, UserView
from gigawatt.sdk.transport import Transport
from gigawatt.sdk.views import Page


class Users:
    """`client.users`. `tenant` is for operators: another than the caller's own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, **filters: Any) -> Page[UserView]:
        """One page. Raises ApiError, UnreachableError."""
        return cast("Page[UserView]", self._transport.read("/v1/users", filters))

    def show(self, name: str, *, tenant: str = "") -> UserView:
        """Raises ApiError, UnreachableError."""
        query = {"tenant": tenant} if tenant else {}
        return cast("UserView", self._transport.read(_path(name), query))

    def create(self, name: str, *, role: str, **fields: Any) -> UserView:
        """A person or, with `kind="service"`, a service account. `fields` are as in the API's UserRequest.

        Raises ApiError, UnreachableError.
        """
        body = {"name": name, "role": role, **{each: it for each, it in fields.items() if it}}
        return cast("UserView", self._transport.write("POST", "/v1/users", body))

    def disable(self, name: str, *, tenant: str = "") -> UserView:
        """From now on all keys of the user are refused. Raises ApiError, UnreachableError."""
        path, params = f"{_path(name)}/disable", {"tenant": tenant} if tenant else None
        return cast("UserView", self._transport.write("POST", path, params=params))

    def enable(self, name: str, *, tenant: str = "") -> UserView:
        """The user's keys are good again. Raises ApiError, UnreachableError."""
        path, params = f"{_path(name)}/enable", {"tenant": tenant} if tenant else None
        return cast("UserView", self._transport.write("POST", path, params=params))


class Members:
    """`client.members`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, **filters: Any) -> Page[MemberView]:
        """One page. Raises ApiError, UnreachableError."""
        return cast("Page[MemberView]", self._transport.read("/v1/members", filters))

    def give(self, user: str, role: str, *, project: str = "", tenant: str = "") -> UserView:
        """In a project, or without one in all of the tenant. Raises ApiError, UnreachableError."""
        body = {"role": role}
        if project:
            body["project"] = project
        if tenant:
            body["tenant"] = tenant
        return cast("UserView", self._transport.write("PUT", f"{_path(user)}/roles", body))

    def take(self, user: str, *, project: str = "", tenant: str = "") -> UserView:
        """Raises ApiError, UnreachableError."""
        named = {"project": project, "tenant": tenant}
        params = {name: value for name, value in named.items() if value}
        path = f"{_path(user)}/roles"
        return cast("UserView", self._transport.write("DELETE", path, params=params))


def _path(name: str) -> str:
    return f"/v1/users/{quote(name, safe='')}"
