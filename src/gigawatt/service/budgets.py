"""Budgets: what tenants and projects may spend in a month, and what they have."""

import asyncio

from gigawatt import clock
from gigawatt.ledger.calendar import month_of
from gigawatt.model.budget import Budget
from gigawatt.model.money import RemoveBudget, SetBudget
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller, Project, Role
from gigawatt.model.values import replace
from gigawatt.service.lookup import Filters, not_found
from gigawatt.service.permissions import home, verb
from gigawatt.service.services import Services, Terms
from gigawatt.service.spent import spent_by
from gigawatt.service.views.money import BudgetView, budget_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.money import BudgetForm


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[BudgetView]:
    """The budgets that the caller can see: its tenant's and those of its projects."""
    query = filters.query(caller, phases=("active", "deleted"))
    if not query.phases:
        query = replace(query, phases=("active",))
    found = await services.read(lambda: services.store.page(Budget, query))
    return PageView(items=[budget_view(each) for each in found.items], next=found.next)


@verb
async def put(caller: Caller, services: Services, form: BudgetForm, *, terms: Terms) -> BudgetView:
    """Make a budget, or change it as a whole; what was spent stays. A project's may be raised by its tenant's admins."""
    tenant, project = _whose(caller, form.tenant, form.project)
    key = f"{tenant}/{project}" if project else tenant
    known = await services.read(lambda: services.store.read(Budget, key))
    if project and await services.read(lambda: services.store.read(Project, key)) is None:
        raise not_found("project", project)
    at_ms = clock.now_ms()
    spent, tokens = await asyncio.to_thread(spent_by, services.store, tenant, project, at_ms=at_ms)
    budget = Budget(
        id=key,
        tenant=tenant,
        project=project,
        created_ms=known.created_ms if known else at_ms,
        amount=form.amount,
        tokens=form.tokens,
        thresholds=tuple(sorted(set(form.thresholds))),
        refuses=form.refuses,
        stops=form.stops,
        grace_ms=form.grace * 1_000,
        month=month_of(at_ms),
        spent=spent,
        spent_tokens=tokens,
    )
    version = terms.check(known.version) if known else 0
    command = SetBudget(budget=budget, by=caller.name, if_version=version)
    made = await services.leader.submit(command, receipt=terms.receipt(tenant))
    assert isinstance(made, Budget)
    return budget_view(made)


@verb
async def remove(
    caller: Caller, services: Services, *, tenant: str, project: str, terms: Terms
) -> None:
    """Take a budget away: nothing limits what is spent any more. Raises RefusalError."""
    tenant, project = _whose(caller, tenant, project)
    key = f"{tenant}/{project}" if project else tenant
    known = await services.read(lambda: services.store.read(Budget, key))
    if known is None or known.deleted_ms is not None:
        raise not_found("budget", project or tenant)
    command = RemoveBudget(id=key, by=caller.name, if_version=terms.check(known.version))
    await services.leader.submit(command, receipt=terms.receipt(tenant))


def _whose(caller: Caller, tenant: str, project: str) -> tuple[str, str]:
    """Of which tenant and project; operators may name any tenant. Raises RefusalError."""
    if tenant and tenant != caller.tenant and caller.role is not Role.OPERATOR:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no tenant {tenant}", field="tenant")
    if caller.project or project:
        own, project = home(caller, project)
        return tenant or own, project
    return tenant or caller.tenant, ""
