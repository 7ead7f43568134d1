"""Projects: holders of work within a tenant."""

from gigawatt.model.command import CreateProject
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller, Project
from gigawatt.service.lookup import Filters
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.account import ProjectView, project_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import ProjectRequest


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
