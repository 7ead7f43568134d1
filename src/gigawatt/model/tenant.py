"""Who may do what: tenants, projects, and the callers that a key or a token stands for."""

from dataclasses import dataclass
from enum import StrEnum

from gigawatt.model.gang import Isolation
from gigawatt.model.quota import NO_ENTITLEMENT, Entitlement
from gigawatt.model.retention import NO_POLICY, Retention
from gigawatt.model.tokens import NO_ALLOWANCE, Allowance

DEFAULT_TENANT = "default"
DEFAULT_PROJECT = "default"


class Role(StrEnum):
    VIEWER = "viewer"
    DEVELOPER = "developer"
    PROJECT_ADMIN = "project-admin"
    TENANT_ADMIN = "tenant-admin"
    AUDITOR = "auditor"
    OPERATOR = "operator"  # the whole instance
    RANK = "rank"  # a running rank, scoped to its job
    GATEWAY = "gateway"  # the data plane of this instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    id: str
    created_ms: int
    version: int = 1
    entitlement: Entitlement = NO_ENTITLEMENT
    isolation: Isolation = Isolation.NONE  # of everything that it runs, at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    id: str  # tenant/name
    tenant: str
    name: str
    created_ms: int
    retention: Retention = NO_POLICY
    version: int = 1
    entitlement: Entitlement = NO_ENTITLEMENT
    allowance: Allowance = NO_ALLOWANCE


class UserKind(StrEnum):
    PERSON = "person"
    SERVICE = "service"  # a program's account


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    project: str  # empty: every project of the tenant
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or a service account. Its grants are by project, one for each."""

    id: str  # tenant/name
    tenant: str
    name: str
    kind: UserKind
    created_ms: int
    created_by: str
    email: str = ""
    grants: tuple[Grant, ...] = ()
    disabled_ms: int | None = None
    version: int = 1
    account: str = (
        ""  # provider:subject, of whom sign-in has made: the rules there say what it holds
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUse:
    """When a key was last used, to the hour, and from where: the newest address first."""

    id: str  # the key's
    tenant: str
    project: str
    used_ms: int
    addresses: tuple[str, ...] = ()
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """The key itself is shown once and never kept: only its SHA-256 is."""

    id: str
    tenant: str
    project: str  # empty: every project of the tenant
    name: str
    role: Role
    prefix: str  # the first characters, for people to recognise it by
    sha256: str
    created_ms: int
    created_by: str
    expires_ms: int = 0  # 0 is never
    revoked_ms: int | None = None
    version: int = 1
    allowance: Allowance = NO_ALLOWANCE
    user: str = ""  # the id of its owner; empty for the instance's own
    scopes: tuple[str, ...] = ()  # none: all that its role may do
    replaced_by: str = ""  # the key that it was rotated to


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a call. `job` is set for a rank's token."""

    name: str
    role: Role
    tenant: str
    project: str  # empty: every project of the tenant
    job: str = ""
    key: str = ""  # the id of the key; empty for a rank
    user: str = ""  # the id of its owner
    scopes: tuple[str, ...] = ()  # none: all that the role may do
    address: str = ""  # where the call came from; empty where that is not known
