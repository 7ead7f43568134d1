"""API keys: make, list, rotate, revoke. Nobody gives what it does not have; whoever administers nothing has its own alone."""

from dataclasses import replace

from gigawatt import clock
from gigawatt.model.accounts import RotateKey
from gigawatt.model.change import Entity
from gigawatt.model.command import CreateKey, RevokeKey
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.roles import INCLUDES, standing
from gigawatt.model.tenant import ApiKey, Caller, KeyUse, Project, Role, User
from gigawatt.service.lookup import Filters, not_found
from gigawatt.service.permissions import KNOWN_SCOPES, administers, may_give, sees, verb
from gigawatt.service.receipts import once
from gigawatt.service.scopes import covers
from gigawatt.service.services import Services, Terms
from gigawatt.service.tokens import KEY_BYTES, SHOWN_CHARS, Owner, new_key
from gigawatt.service.users import found_user, named_tenant
from gigawatt.service.views.account import KeyView, key_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.faults import nearest
from gigawatt.spec.requests import KeyRequest, RotateRequest


@verb
async def page(
    caller: Caller, services: Services, filters: Filters, *, prefix: str = ""
) -> PageView[KeyView]:
    """Keys without their secrets, newest first. `prefix`: those that begin as this one does."""
    if prefix and len(prefix) < SHOWN_CHARS:
        detail = f"prefix has {len(prefix)} characters; at least {SHOWN_CHARS} are needed"
        raise RefusalError(RefusalCode.INVALID, detail, field="prefix")
    query = filters.query(caller, phases=("active", "revoked"), parent=prefix[:SHOWN_CHARS])

    def read() -> PageView[KeyView]:
        found = services.store.page(ApiKey, query)
        mine = [each for each in found.items if _owns(caller, each)]
        return PageView(
            items=[key_view(each, use=services.store.read(KeyUse, each.id)) for each in mine],
            next=found.next,
        )

    return await services.read(read)


@verb
async def create(
    caller: Caller, services: Services, request: KeyRequest, *, terms: Terms
) -> KeyView:
    """A new key, its secret shown this once. Raises RefusalError for more than the caller itself has."""
    role, now_ms = Role(request.role), clock.now_ms()
    _check_role(caller, role)
    _check_scopes(caller, tuple(request.scopes))
    if request.expires_ms and request.expires_ms <= now_ms:
        raise RefusalError(RefusalCode.INVALID, "expires_ms is in the past", field="expires_ms")
    tenant = await named_tenant(caller, services, request.tenant)
    owner = Owner(
        tenant=tenant,
        project=await _project(caller, services, tenant, request.project),
        name=request.name,
        role=role,
        created_by=caller.name,
        expires_ms=request.expires_ms,
        user=await _user(caller, services, request),
        scopes=tuple(sorted({*(request.scopes or caller.scopes)})),
    )
    secret, key = new_key(owner, entropy=clock.entropy(KEY_BYTES), now_ms=now_ms)
    await _check_standing(services, key)
    made = await services.leader.submit(CreateKey(key=key), receipt=terms.receipt(caller.tenant))
    assert isinstance(made, ApiKey)
    return _shown(made, key, secret)


@verb
async def rotate(
    caller: Caller, services: Services, id: str, request: RotateRequest, *, terms: Terms
) -> KeyView:
    """A successor of a key, with all that it may; the old one stays good for `overlap_s`. Raises RefusalError."""
    before = await _found(caller, services, id)
    _check_role(caller, before.role)
    if not covers(caller.scopes, before.scopes):
        detail = "this key's scopes are fewer than that key's"
        raise RefusalError(RefusalCode.FORBIDDEN, detail)
    now_ms = clock.now_ms()
    if before.revoked_ms is not None or 0 < before.expires_ms <= now_ms:
        detail = f"key {before.name} is not good any more"
        raise RefusalError(RefusalCode.CONFLICT, detail, hint="gw keys create NAME makes another")
    owner = Owner(
        tenant=before.tenant,
        project=before.project,
        name=before.name,
        role=before.role,
        created_by=caller.name,
        expires_ms=request.expires_ms,
        user=before.user,
        scopes=before.scopes,
    )
    secret, key = new_key(owner, entropy=clock.entropy(KEY_BYTES), now_ms=now_ms)
    command = RotateKey(
        id=before.id,
        key=replace(key, allowance=before.allowance),
        until_ms=now_ms + request.overlap_s * 1000,
        by=caller.name,
        if_version=terms.check(before.version),
    )
    made = await services.leader.submit(command, receipt=terms.receipt(before.tenant))
    assert isinstance(made, ApiKey)
    services.keyring.forget(before.id)
    services.doors.forget(before.id)
    return _shown(made, key, secret)


@verb
async def revoke(caller: Caller, services: Services, id: str, *, terms: Terms) -> KeyView:
    """Refuse this key from now on, and end what is open on its behalf. One that was revoked before stays so."""
    key = await _found(caller, services, id)
    _check_role(caller, key.role)

    async def write() -> Entity:
        version = terms.check(key.version)
        command = RevokeKey(id=key.id, tenant=key.tenant, by=caller.name, if_version=version)
        return await services.leader.submit(command, receipt=terms.receipt(key.tenant))

    if key.revoked_ms is not None:
        return key_view(key)
    after = await once(ApiKey, services, terms, key.tenant, write)
    services.keyring.forget(after.id)
    services.doors.forget(after.id)
    services.revocations.tell(after.id)
    return key_view(after)


async def _found(caller: Caller, services: Services, id: str) -> ApiKey:
    key = await services.read(lambda: services.store.read(ApiKey, id))
    if key is None or not sees(caller, key.tenant, key.project) or not _owns(caller, key):
        raise not_found("key", id)
    return key


def _owns(caller: Caller, key: ApiKey) -> bool:
    return (
        administers(caller)
        or caller.role is Role.AUDITOR
        or (len(caller.user) > 0 and key.user == caller.user)
    )


def _shown(made: ApiKey, key: ApiKey, secret: str) -> KeyView:
    if made.id != key.id:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"key {made.id} was made with this Idempotency-Key before; its secret was shown then",
            hint="revoke it and make another, if the secret is lost",
        )
    return key_view(made, secret=secret)


def _check_role(caller: Caller, role: Role) -> None:
    own = bool(caller.user) and role in INCLUDES[caller.role]
    if not own and not may_give(caller, role):
        detail = (
            f"a key with the role {caller.role.value} may not have to do with one with {role.value}"
        )
        raise RefusalError(RefusalCode.FORBIDDEN, detail, field="role")


def _check_scopes(caller: Caller, scopes: tuple[str, ...]) -> None:
    for scope in scopes:
        if scope not in KNOWN_SCOPES:
            raise RefusalError(
                RefusalCode.INVALID,
                f"scope {scope!r} is not known",
                field="scopes",
                hint=nearest(scope, sorted(KNOWN_SCOPES))
                or "write GROUP:read, GROUP:write or endpoints:invoke",
            )
    if scopes and not covers(caller.scopes, scopes):
        detail = f"this key has the scopes {', '.join(caller.scopes)} alone"
        raise RefusalError(RefusalCode.FORBIDDEN, detail, field="scopes")


async def _check_standing(services: Services, key: ApiKey) -> None:
    """Refuse a key that its owner could not use as it is."""
    owner = await services.read(lambda: services.store.read(User, key.user))
    if standing(key, owner) is not key.role:
        who = owner.name if owner is not None else key.user
        where = f"project {key.project}" if key.project else f"all of tenant {key.tenant}"
        raise RefusalError(
            RefusalCode.FORBIDDEN,
            f"{who} does not hold the role {key.role.value} in {where}",
            field="role",
            hint="gw members shows who holds what; name a project with --project, or another role",
        )


async def _user(caller: Caller, services: Services, request: KeyRequest) -> str:
    """The id of the owner of a new key: the one named, or the caller's own."""
    if not request.user:
        return caller.user
    owner = await found_user(caller, services, request.user, request.tenant)
    if owner.id != caller.user and not administers(caller):
        detail = "only administrators make keys for others"
        raise RefusalError(RefusalCode.FORBIDDEN, detail, field="user")
    return owner.id


async def _project(caller: Caller, services: Services, tenant: str, wanted: str) -> str:
    if caller.project and wanted and wanted != caller.project:
        detail = f"this key is for project {caller.project}, not {wanted}"
        raise RefusalError(RefusalCode.FORBIDDEN, detail, field="project")
    project = caller.project or wanted
    if project:
        key = f"{tenant}/{project}"
        if await services.read(lambda: services.store.read(Project, key)) is None:
            raise RefusalError(
                RefusalCode.NOT_FOUND, f"there is no project {project}", field="project"
            )
    return project
