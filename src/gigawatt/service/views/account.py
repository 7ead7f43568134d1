"""Tenants, projects, keys, events and the instance as callers see them."""

from collections.abc import Mapping
from dataclasses import dataclass

from gigawatt.model.event import Event
from gigawatt.model.tenant import ApiKey, Caller, KeyUse, Project, Tenant, User
from gigawatt.service.views.usage import AllowanceView, allowance_view


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantView:
    """Who pays and is isolated: what it runs has that class at least."""

    id: str
    created_ms: int
    isolation: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectView:
    """A holder of work within a tenant."""

    tenant: str
    name: str
    created_ms: int
    allowance: AllowanceView


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretView:
    """A secret by its name, and the address that it is for, empty for ranks; never its value."""

    name: str
    url: str
    fault: str  # why it cannot be used; empty where it can


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationView:
    """How many secrets were sealed by new keys, and where the key is kept that wraps those."""

    secrets: int
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """An API key. `key` is the secret: in the answer that made it, and never again."""

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
    scopes: tuple[str, ...]
    replaced_by: str
    used_ms: int | None
    used_from: str
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleCodeView:
    """What signs a browser in once: `path` of this API's URL, with the code in it."""

    path: str
    expires_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantView:
    """A role in a project, or with an empty one in all of the tenant."""

    project: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserView:
    """A person or a service account; `account` is by what it signs in, provider:subject."""

    name: str
    tenant: str
    kind: str
    email: str
    grants: tuple[GrantView, ...]
    created_ms: int
    created_by: str
    disabled_ms: int | None
    version: int
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberView:
    """What one user holds in one project, or with an empty one in all of the tenant."""

    tenant: str
    project: str
    user: str
    kind: str
    role: str
    disabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """What happened, to what."""

    seq: int
    at_ms: int
    kind: str
    tenant: str
    project: str
    subject: str
    message: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineView:
    """What runs the processes, and what it can do."""

    name: str
    environments: tuple[str, ...]
    isolation: tuple[str, ...]
    shared_filesystem: bool
    node_lost_after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """This instance."""

    version: str
    epoch: int
    api_url: str
    gateway_url: str
    store: str
    handoff: str
    engine: EngineView


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerView:
    """Who you are here."""

    name: str
    role: str
    tenant: str
    project: str
    job: str
    user: str
    scopes: tuple[str, ...]


def tenant_view(tenant: Tenant) -> TenantView:
    """A tenant's view."""
    return TenantView(
        id=tenant.id,
        created_ms=tenant.created_ms,
        isolation=tenant.isolation.value,
        version=tenant.version,
    )


def project_view(project: Project) -> ProjectView:
    """A project's view."""
    return ProjectView(
        tenant=project.tenant,
        name=project.name,
        created_ms=project.created_ms,
        allowance=allowance_view(project.allowance),
    )


def user_view(user: User, project: str = "") -> UserView:
    """A user's view, with what it holds in `project` if that is named."""
    return UserView(
        name=user.name,
        tenant=user.tenant,
        kind=user.kind.value,
        email=user.email,
        grants=tuple(
            GrantView(project=grant.project, role=grant.role.value)
            for grant in user.grants
            if not project or grant.project in ("", project)
        ),
        created_ms=user.created_ms,
        created_by=user.created_by,
        disabled_ms=user.disabled_ms,
        version=user.version,
        account=user.account,
    )


def member_views(user: User, project: str = "") -> list[MemberView]:
    """What a user holds, each by itself; in `project` if that is named."""
    return [
        MemberView(
            tenant=user.tenant,
            project=grant.project,
            user=user.name,
            kind=user.kind.value,
            role=grant.role,
            disabled=user.disabled_ms is not None,
        )
        for grant in user_view(user, project).grants
    ]


def key_view(key: ApiKey, *, secret: str = "", use: KeyUse | None = None) -> KeyView:
    """A key's view; `secret` only where it has just been made."""
    return KeyView(
        id=key.id,
        tenant=key.tenant,
        project=key.project,
        name=key.name,
        role=key.role.value,
        prefix=key.prefix,
        created_ms=key.created_ms,
        created_by=key.created_by,
        expires_ms=key.expires_ms,
        revoked_ms=key.revoked_ms,
        version=key.version,
        allowance=allowance_view(key.allowance),
        user=key.user.partition("/")[2],
        scopes=key.scopes,
        replaced_by=key.replaced_by,
        used_ms=use.used_ms if use else None,
        used_from=use.addresses[0] if use and use.addresses else "",
        key=secret,
    )


def event_view(event: Event) -> EventView:
    """An event's view."""
    return EventView(
        seq=event.seq,
        at_ms=event.at_ms,
        kind=event.kind,
        tenant=event.tenant,
        project=event.project,
        subject=event.subject,
        message=event.message,
        data=dict(event.data),
    )


def caller_view(caller: Caller) -> CallerView:
    """A caller's view."""
    return CallerView(
        name=caller.name,
        role=caller.role.value,
        tenant=caller.tenant,
        project=caller.project,
        job=caller.job,
        user=caller.user.partition("/")[2],
        scopes=caller.scopes,
    )
