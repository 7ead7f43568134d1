"""Who there is: tenants and keys, as callers ask for them."""

from gigawatt.model.accounts import CreateTenant, OfAccounts
from gigawatt.model.change import Entity
from gigawatt.model.command import CreateKey
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import DEFAULT_PROJECT, ApiKey, Tenant
from gigawatt.reconcile.projects import put_project
from gigawatt.reconcile.turn import Turn


def command(turn: Turn, asked: OfAccounts | CreateKey) -> Entity:
    """Do what a caller asked; the changed or made object. Raises RefusalError, having changed nothing."""
    match asked:
        case CreateTenant():
            return create_tenant(turn, asked)
        case CreateKey():
            return create_key(turn, asked)


def create_tenant(turn: Turn, command: CreateTenant) -> Tenant:
    """A tenant with its default project. Raises RefusalError (conflict)."""
    if command.id in turn.world.tenants:
        raise RefusalError(
            RefusalCode.CONFLICT, f"tenant {command.id} is already there", field="id"
        )
    tenant = turn.put(Tenant(id=command.id, created_ms=turn.now_ms))
    turn.emit("tenant.created", tenant, f"by {command.by}")
    put_project(turn, tenant.id, DEFAULT_PROJECT)
    return tenant


def create_key(turn: Turn, command: CreateKey) -> ApiKey:
    key = turn.put(command.key)
    turn.emit("key.created", key, f"{key.name} ({key.role.value}) by {key.created_by}")
    return key
