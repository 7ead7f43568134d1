"""Tenants, projects and keys: who there is, before anything is theirs."""

from gigawatt.model.command import CreateProject, RevokeKey
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import (
    DEFAULT_PROJECT,
    DEFAULT_TENANT,
    ApiKey,
    Project,
    Tenant,
)
from gigawatt.model.values import replace
from gigawatt.reconcile.turn import Turn


def ensure_default(turn: Turn) -> None:
    """The tenant and the project that make single-user life free of ceremony."""
    if DEFAULT_TENANT not in turn.world.tenants:
        turn.put(Tenant(id=DEFAULT_TENANT, created_ms=turn.now_ms))
    if project_id(DEFAULT_TENANT, DEFAULT_PROJECT) not in turn.world.projects:
        put_project(turn, DEFAULT_TENANT, DEFAULT_PROJECT)


def project_id(tenant: str, name: str) -> str:
    return f"{tenant}/{name}"


def put_project(turn: Turn, tenant: str, name: str) -> Project:
    return turn.put(
        Project(id=project_id(tenant, name), tenant=tenant, name=name, created_ms=turn.now_ms)
    )


def check_project(turn: Turn, tenant: str, name: str) -> None:
    """Refuse work for a project that is not there."""
    if project_id(tenant, name) in turn.world.projects:
        return
    known = sorted(each.name for each in turn.world.projects.values() if each.tenant == tenant)
    raise RefusalError(
        RefusalCode.NOT_FOUND,
        f"there is no project {name}; there are: {', '.join(known)}",
        field="project",
        hint=f"gw projects create {name}",
    )


def create_project(turn: Turn, command: CreateProject) -> Project:
    if project_id(command.tenant, command.name) in turn.world.projects:
        raise RefusalError(
            RefusalCode.CONFLICT, f"project {command.name} is already there", field="name"
        )
    project = put_project(turn, command.tenant, command.name)
    turn.emit("project.created", project, f"by {command.by}")
    return project


def revoke_key(turn: Turn, command: RevokeKey) -> ApiKey:
    key = turn.world.keys.get(command.id)
    if key is None or key.tenant != command.tenant:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no key {command.id}")
    if key.revoked_ms is None:
        key = turn.put(replace(key, revoked_ms=turn.now_ms))
        turn.emit("key.revoked", key, f"{key.name} by {command.by}")
    return key
