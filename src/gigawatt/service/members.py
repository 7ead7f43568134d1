"""Members: who holds which role, in a project or in all of a tenant."""

from dataclasses import replace

from gigawatt.model.accounts import SetGrant
from gigawatt.model.change import Entity
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.roles import OF_TENANTS
from gigawatt.model.tenant import Caller, Role, User
from gigawatt.service.lookup import Filters
from gigawatt.service.permissions import verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.users import check_giving, check_wide, forget_keys, found_user
from gigawatt.service.views.account import MemberView, UserView, member_views, user_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import GrantRequest


@verb
async def page(caller: Caller, services: Services, filters: Filters) -> PageView[MemberView]:
    """Who holds what, by user; in a project with those who hold it in all of the tenant. `limit` counts users."""
    query = replace(filters.query(caller), project="")
    found = await services.read(lambda: services.store.page(User, query))
    project = caller.project or filters.project
    views = [view for user in found.items for view in member_views(user, project)]
    return PageView(items=views, next=found.next)


@verb
async def give(
    caller: Caller, services: Services, name: str, request: GrantRequest, *, terms: Terms
) -> UserView:
    """Give a user a role in a project, or in all of its tenant, in place of what it held there. Raises RefusalError."""
    role, project = Role(request.role), caller.project or request.project
    check_giving(caller, role, request.project)
    if role in OF_TENANTS:
        check_wide(role, project)
    return await _set(caller, services, (name, request.tenant, project), role, terms)


@verb
async def take(
    caller: Caller, services: Services, name: str, *, place: tuple[str, str], terms: Terms
) -> UserView:
    """Take away what a user holds. `place` is its tenant, if not the caller's, and a project, empty for all of it."""
    tenant, project = place
    return await _set(
        caller, services, (name, tenant, caller.project or project), role=None, terms=terms
    )


async def _set(
    caller: Caller,
    services: Services,
    place: tuple[str, str, str],
    role: Role | None,
    terms: Terms,
) -> UserView:
    name, tenant, project = place
    user = await found_user(caller, services, name, tenant)
    before = next((grant for grant in user.grants if grant.project == project), None)
    if before is not None:
        check_giving(caller, before.role, project)
    if role is Role.OPERATOR and user.tenant != caller.tenant:
        detail = "operators are users of the operators' own tenant"
        raise RefusalError(RefusalCode.FORBIDDEN, detail, field="role")

    async def write() -> Entity:
        command = SetGrant(
            id=user.id,
            project=project,
            role=role,
            by=caller.name,
            if_version=terms.check(user.version),
        )
        return await services.leader.submit(command, receipt=terms.receipt(user.tenant))

    after = await once(User, services, terms, user.tenant, write)
    forget_keys(services, after.id)
    return user_view(after, caller.project)
