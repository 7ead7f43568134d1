"""What the API answers about callers, keys, projects and the instance, as types. See `gigawatt.sdk.views`."""

from typing import Any, TypedDict


class ProjectView(TypedDict):
    tenant: str
    name: str
    created_ms: int


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
    key: str


class CallerView(TypedDict):
    name: str
    role: str
    tenant: str
    project: str
    job: str


class InstanceView(TypedDict):
    version: str
    epoch: int
    api_url: str
    gateway_url: str
    store: str
    handoff: str
    engine: dict[str, Any]
