"""Quotas: what projects may use, what they do use, and what they are owed."""

from collections.abc import Callable

from gigawatt.model.command import SetEntitlement
from gigawatt.model.quota import Entitlement
from gigawatt.model.tenant import Caller, Project
from gigawatt.service.lookup import Filters, find_project
from gigawatt.service.permissions import verb
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.quotas import QuotaView, quota_view
from gigawatt.service.views.text import PageView


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[QuotaView]:
    """The projects that the caller can see, with what each may use and does use."""
    query = filters.query(caller)
    found = await services.read(lambda: services.store.page(Project, query))
    owed = services.leader.owed()
    shown = [each for each in found.items if not caller.project or each.name == caller.project]
    return PageView(items=[quota_view(each, owed.get(each.id)) for each in shown], next=found.next)


@verb
async def show(caller: Caller, services: Services, *, project: str) -> QuotaView:
    """What one project may use and does use."""
    found = await find_project(caller, services, project)
    return quota_view(found, services.leader.owed().get(found.id))


@verb
async def change(
    caller: Caller,
    services: Services,
    change: Callable[[Entitlement], Entitlement],
    *,
    project: str,
    terms: Terms,
) -> QuotaView:
    """Change what a project may use. Raises RefusalError."""
    found = await find_project(caller, services, project)
    command = SetEntitlement(
        tenant=found.tenant,
        name=found.name,
        entitlement=change(found.entitlement),
        by=caller.name,
        if_version=terms.check(found.version),
    )
    after = await services.leader.submit(command, receipt=terms.receipt(found.tenant))
    assert isinstance(after, Project)
    return quota_view(after, services.leader.owed().get(after.id))
