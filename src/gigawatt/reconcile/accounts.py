"""Who there is: tenants, users and keys, as callers ask for them."""

from gigawatt.model.accounts import (
    BeginSession,
    CreateTenant,
    CreateUser,
    NoteKeyUses,
    OfAccounts,
    RotateKey,
    SetDisabled,
    SetGrant,
    SetIsolation,
    WithdrawAccount,
)
from gigawatt.model.change import Entity
from gigawatt.model.command import CreateKey
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import DEFAULT_PROJECT, ApiKey, Grant, KeyUse, Role, Tenant, User
from gigawatt.model.values import replace
from gigawatt.reconcile import schedules, sign_ins
from gigawatt.reconcile.projects import check_project, put_project
from gigawatt.reconcile.turn import Turn
from gigawatt.reconcile.versions import check_version

USERS_MAX = 100_000  # of all tenants together


def command(turn: Turn, asked: OfAccounts | CreateKey) -> Entity:
    """Do what a caller asked; the changed or made object. Raises RefusalError, having changed nothing."""
    match asked:
        case CreateTenant() | SetIsolation():
            return of_tenants(turn, asked)
        case CreateUser():
            return create_user(turn, asked)
        case SetGrant():
            return set_grant(turn, asked)
        case SetDisabled():
            return set_disabled(turn, asked)
        case BeginSession() | WithdrawAccount():
            return sign_ins.command(turn, asked)
        case RotateKey():
            return rotate_key(turn, asked)
        case NoteKeyUses():
            return note_uses(turn, asked)
        case CreateKey():
            return create_key(turn, asked)


def of_tenants(turn: Turn, asked: CreateTenant | SetIsolation) -> Tenant:
    if isinstance(asked, CreateTenant):
        return create_tenant(turn, asked)
    return set_isolation(turn, asked)


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


def set_isolation(turn: Turn, command: SetIsolation) -> Tenant:
    """What runs keeps what it started with. Raises RefusalError (not-found, conflict)."""
    before = turn.world.tenants.get(command.id)
    if before is None:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no tenant {command.id}")
    check_version(f"tenant {before.id}", before.version, command.if_version)
    if before.isolation is command.isolation:
        return before
    after = turn.put(replace(before, isolation=command.isolation))
    told = (
        f"{command.isolation.value} at least, in place of {before.isolation.value}, by {command.by}"
    )
    turn.emit("tenant.isolated", after, told)
    return after


def create_user(turn: Turn, command: CreateUser) -> User:
    """A user with what it was given from the start. Raises RefusalError (conflict, not-found)."""
    user = command.user
    if user.id in turn.world.users:
        detail = f"user {user.name} is already there"
        raise RefusalError(RefusalCode.CONFLICT, detail, field="name")
    if len(turn.world.users) >= USERS_MAX:
        raise RefusalError(RefusalCode.LIMIT, f"there are {USERS_MAX} users, which is the limit")
    for grant in user.grants:
        _check_place(turn, user.tenant, grant.project)
    user = turn.put(user)
    turn.emit("user.created", user, f"{user.kind.value} {user.name} by {user.created_by}")
    return user


def set_grant(turn: Turn, command: SetGrant) -> User:
    """Give a user a role, another one, or none. Raises RefusalError; for the last administrator of a tenant too."""
    before = _user(turn, command.id, command.if_version)
    if before.account:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"{before.name} signs in by {before.account.partition(':')[0]}, and holds what its rules say",
            hint="change the rules in the file of sign_in, or disable the user: gw users disable",
        )
    _check_place(turn, before.tenant, command.project)
    others = tuple(each for each in before.grants if each.project != command.project)
    given = () if command.role is None else (Grant(project=command.project, role=command.role),)
    grants = tuple(sorted((*others, *given), key=lambda each: each.project))
    if grants == before.grants:
        return before
    after = replace(before, grants=grants)
    _check_administered(turn, before, after)
    after = turn.put(after)
    where = command.project or "every project"
    if command.role is None:
        turn.emit("user.ungranted", after, f"{after.name} in {where} by {command.by}")
    else:
        told = f"{after.name} is {command.role.value} in {where}, by {command.by}"
        turn.emit("user.granted", after, told)
    return after


def set_disabled(turn: Turn, command: SetDisabled) -> User:
    """Refuse a user's keys, or no more. Raises RefusalError; for the last administrator of a tenant too."""
    before = _user(turn, command.id, command.if_version)
    if (before.disabled_ms is not None) == command.disabled:
        return before
    after = replace(before, disabled_ms=turn.now_ms if command.disabled else None)
    _check_administered(turn, before, after)
    after = turn.put(after)
    kind = "user.disabled" if command.disabled else "user.enabled"
    turn.emit(kind, after, f"{after.name} by {command.by}")
    return after


def create_key(turn: Turn, command: CreateKey) -> ApiKey:
    key = turn.put(command.key)
    turn.emit("key.created", key, f"{key.name} ({key.role.value}) by {key.created_by}")
    return key


def rotate_key(turn: Turn, command: RotateKey) -> ApiKey:
    """The successor. Its predecessor stays good for as long as was asked, or as it would have been."""
    before = turn.world.keys.get(command.id)
    if before is None or before.replaced_by:
        detail = f"key {command.id} is revoked or has a successor already"
        raise RefusalError(RefusalCode.CONFLICT, detail)
    check_version(f"key {before.id}", before.version, command.if_version)
    until_ms = min(command.until_ms, before.expires_ms or command.until_ms)
    turn.put(replace(before, expires_ms=until_ms, replaced_by=command.key.id))
    after = turn.put(command.key)
    schedules.key_rotated(turn, before.id, after.id)
    turn.emit("key.rotated", after, f"{before.id} gives way to {after.id}, by {command.by}")
    return after


def note_uses(turn: Turn, command: NoteKeyUses) -> KeyUse:
    for each in command.uses:
        turn.put(each)
    return command.uses[-1]


def _user(turn: Turn, id: str, if_version: int) -> User:
    user = turn.world.users.get(id)
    if user is None:
        name = id.partition("/")[2]
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no user {name}")
    check_version(f"user {user.name}", user.version, if_version)
    return user


def _check_place(turn: Turn, tenant: str, project: str) -> None:
    if tenant not in turn.world.tenants:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no tenant {tenant}", field="tenant")
    if project:
        check_project(turn, tenant, project)


def _check_administered(turn: Turn, before: User, after: User) -> None:
    """Somebody is left who can give roles in the tenant."""
    if not _administers(before) or _administers(after):
        return
    others = (each for each in turn.world.users.values() if each.id != before.id)
    if any(each.tenant == before.tenant and _administers(each) for each in others):
        return
    raise RefusalError(
        RefusalCode.CONFLICT,
        f"{before.name} is the last administrator of tenant {before.tenant}",
        hint="make somebody else tenant-admin first: gw members set USER tenant-admin",
    )


def _administers(user: User) -> bool:
    roles = {grant.role for grant in user.grants if not grant.project}
    return user.disabled_ms is None and bool(roles & {Role.TENANT_ADMIN, Role.OPERATOR})
