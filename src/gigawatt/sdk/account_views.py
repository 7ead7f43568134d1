"""What the API answers about callers, keys, projects and the instance, as types. See `gigawatt.sdk.views`."""

from typing import Any, TypedDict

from gigawatt.sdk.usage_views import AllowanceView


class TenantView(TypedDict):
    id: str
    created_ms: int
    isolation: str
    version: int


class ConsoleCodeView(TypedDict):
    """`path` is to be opened in a browser, at the API's address."""

    path: str
    expires_ms: int


class ProjectView(TypedDict):
    tenant: str
    name: str
    created_ms: int
    allowance: AllowanceView


class KeyView(TypedDict):
    """`key` is the secret itself, in the answer that made it and never again."""

    id: str
    tenant: str
    project: str
    name: str
    role: str
    prefix: str
    created_ms: int
    created_by: str
    expires_ms: int
    revoked_ms: int | None
    version: int
    allowance: AllowanceView
    user: str
    scopes: list[str]
    replaced_by: str
    used_ms: int | None
    used_from: str
    key: str


class GrantView(TypedDict):
    project: str
    role: str


class UserView(TypedDict):
    name: str
    tenant: str
    kind: str
    email: str
    grants: list[GrantView]
    created_ms: int
    created_by: str
    disabled_ms: int | None
    version: int
    account: str


class MemberView(TypedDict):
    """`project` is empty for a role in all of the tenant."""

    tenant: str
    project: str
    user: str
    kind: str
    role: str
    disabled: bool


class CallerView(TypedDict):
    name: str
    role: str
    tenant: str
    project: str
    job: str
    user: str
    scopes: list[str]


class InstanceView(TypedDict):
    version: str
    epoch: int
    api_url: str
    gateway_url: str
    store: str
    handoff: str
    engine: dict[str, Any]
