"""Tenants: who pays, and is isolated from the others."""

from gigawatt.model.accounts import CreateTenant
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller, Role, Tenant
from gigawatt.service import isolation
from gigawatt.service.lookup import Filters, not_found
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.account import TenantView, tenant_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import TenantRequest


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
