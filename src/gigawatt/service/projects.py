"""Projects and tenants."""

from gigawatt.model.command import CreateProject
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller, Project, Role, Tenant
from gigawatt.service.lookup import Filters
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.account import ProjectView, TenantView, project_view, tenant_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import ProjectRequest, TenantRequest


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[ProjectView]:
    """The projects that the caller can see."""
    query = filters.query(caller)
    found = await services.read(lambda: services.store.page(Project, query))
    shown = [each for each in found.items if not caller.project or each.name == caller.project]
    return PageView(items=[project_view(each) for each in shown], next=found.next)


@verb
async def create(
    caller: Caller, services: Services, request: ProjectRequest, *, terms: Terms
) -> ProjectView:
    """A new project of the caller's tenant."""
    if caller.project:
        detail = f"this key is for project {caller.project} alone"
        raise RefusalError(RefusalCode.FORBIDDEN, detail, hint="use a key for the whole tenant")
    command = CreateProject(tenant=caller.tenant, name=request.name, by=caller.name)
    project = await services.leader.submit(command, receipt=terms.receipt(caller.tenant))
    assert isinstance(project, Project)
    return project_view(project)


@verb
async def tenants(caller: Caller, services: Services, filters: Filters) -> PageView[TenantView]:
    """The caller's tenant; for operators, every one."""
    if caller.role is not Role.OPERATOR:
        own = await services.read(lambda: services.store.read(Tenant, caller.tenant))
        return PageView(items=[tenant_view(own)] if own else [], next="")
    query = filters.query(caller)
    found = await services.read(lambda: services.store.page(Tenant, query))
    return PageView(items=[tenant_view(each) for each in found.items], next=found.next)


@verb
async def create_tenant(
    caller: Caller, services: Services, request: TenantRequest, *, terms: Terms
) -> TenantView:
    """Refused: a second tenant would share processes' rights with the first."""
    raise RefusalError(
        RefusalCode.UNSUPPORTED,
        f"tenant {request.id} cannot be made: tenants are not isolated from each other yet",
        field="id",
        hint="projects divide the work of one tenant; gw projects create NAME",
    )
