"""API keys: make, list, revoke. Nobody gives what it does not have."""

from gigawatt import clock
from gigawatt.model.change import Entity
from gigawatt.model.command import CreateKey, RevokeKey
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import ApiKey, Caller, Project, Role, Tenant
from gigawatt.service.lookup import Filters, not_found
from gigawatt.service.permissions import MAY_GIVE, sees, verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.tokens import KEY_BYTES, Owner, new_key
from gigawatt.service.views.account import KeyView, key_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import KeyRequest


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[KeyView]:
    """Keys without their secrets, newest first."""
    query = filters.query(caller)
    found = await services.read(lambda: services.store.page(ApiKey, query))
    return PageView(items=[key_view(each) for each in found.items], next=found.next)


@verb
async def create(
    caller: Caller, services: Services, request: KeyRequest, *, terms: Terms
) -> KeyView:
    """A new key, its secret shown this once. Raises RefusalError for more than the caller itself has."""
    role, now_ms = Role(request.role), clock.now_ms()
    if role not in MAY_GIVE.get(caller.role, frozenset()):
        detail = f"a key with the role {caller.role.value} may not make one with {role.value}"
        raise RefusalError(RefusalCode.FORBIDDEN, detail, field="role")
    if request.expires_ms and request.expires_ms <= now_ms:
        raise RefusalError(RefusalCode.INVALID, "expires_ms is in the past", field="expires_ms")
    tenant = await _tenant(caller, services, request.tenant)
    owner = Owner(
        tenant=tenant,
        project=await _project(caller, services, tenant, request.project),
        name=request.name,
        role=role,
        created_by=caller.name,
        expires_ms=request.expires_ms,
    )
    secret, key = new_key(owner, entropy=clock.entropy(KEY_BYTES), now_ms=now_ms)
    made = await services.leader.submit(CreateKey(key=key), receipt=terms.receipt(caller.tenant))
    assert isinstance(made, ApiKey)
    if made.id != key.id:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"key {made.id} was made with this Idempotency-Key before; its secret was shown then",
            hint="revoke it and make another, if the secret is lost",
        )
    return key_view(made, secret=secret)


@verb
async def revoke(caller: Caller, services: Services, id: str, *, terms: Terms) -> KeyView:
    """Refuse this key from now on, and end what is open on its behalf. One that was revoked before stays so."""
    key = await services.read(lambda: services.store.read(ApiKey, id))
    if key is None or not sees(caller, key.tenant, key.project):
        raise not_found("key", id)
    if key.role not in MAY_GIVE.get(caller.role, frozenset()):
        detail = f"a key with the role {caller.role.value} may not revoke one with {key.role.value}"
        raise RefusalError(RefusalCode.FORBIDDEN, detail)

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


async def _tenant(caller: Caller, services: Services, wanted: str) -> str:
    """The tenant that a new key is for: the caller's own, for operators any that there is."""
    if wanted in ("", caller.tenant):
        return caller.tenant
    if caller.role is Role.OPERATOR:
        found = await services.read(lambda: services.store.read(Tenant, wanted))
        if found is not None:
            return wanted
    raise RefusalError(RefusalCode.NOT_FOUND, f"there is no tenant {wanted}", field="tenant")


async def _project(caller: Caller, services: Services, tenant: str, wanted: str) -> str:
    """The project that a new key is for. Raises RefusalError where it is not the caller's to give, or not there."""
    if caller.project and wanted not in {"", caller.project}:
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
