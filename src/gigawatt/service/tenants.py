"""Tenants: who pays, and is isolated from the others."""

from gigawatt.model.accounts import CreateTenant, SetIsolation
from gigawatt.model.change import Entity
from gigawatt.model.gang import Isolation
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller, Role, Tenant
from gigawatt.service import isolation
from gigawatt.service.lookup import Filters, not_found
from gigawatt.service.permissions import verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.account import TenantView, tenant_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import TenantIsolationRequest, TenantRequest


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[TenantView]:
    """The caller's tenant; for operators, every one."""
    query = filters.query(caller)
    if caller.role is not Role.OPERATOR:
        own = await services.read(lambda: services.store.read(Tenant, caller.tenant))
        return PageView(items=[tenant_view(own)] if own else [], next="")
    found = await services.read(lambda: services.store.page(Tenant, query))
    return PageView(items=[tenant_view(each) for each in found.items], next=found.next)


@verb
async def show(caller: Caller, services: Services, id: str) -> TenantView:
    """One tenant: the caller's own, for operators any. Raises RefusalError (not-found)."""
    if caller.role is Role.OPERATOR or id == caller.tenant:
        found = await services.read(lambda: services.store.read(Tenant, id))
        if found is not None:
            return tenant_view(found)
    raise not_found("tenant", id)


@verb
async def create(
    caller: Caller, services: Services, request: TenantRequest, *, terms: Terms
) -> TenantView:
    """A new tenant. Raises RefusalError where tenants are not isolated from each other, unless that is accepted."""
    why = isolation.refusal(services)
    if why is not None:
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            f"tenant {request.id} cannot be made: {why}",
            field="id",
            hint="divide one tenant's work with gw projects create NAME; or, where all who submit are trusted, "
            "start the instance with accept_unisolated_tenants=on",
        )
    command = CreateTenant(id=request.id, by=caller.name)
    made = await services.leader.submit(command, receipt=terms.receipt(caller.tenant))
    assert isinstance(made, Tenant)
    return tenant_view(made)


@verb
async def set_isolation(
    caller: Caller, services: Services, id: str, request: TenantIsolationRequest, *, terms: Terms
) -> TenantView:
    """What everything that a tenant starts from now on has at least. Raises RefusalError where it is not to be had."""
    wanted = Isolation(request.isolation)
    isolation.check(services, wanted)
    found = await services.read(lambda: services.store.read(Tenant, id))
    if found is None:
        raise not_found("tenant", id)

    async def write() -> Entity:
        version = terms.check(found.version)
        command = SetIsolation(id=id, isolation=wanted, by=caller.name, if_version=version)
        return await services.leader.submit(command, receipt=terms.receipt(id))

    return tenant_view(await once(Tenant, services, terms, id, write))
