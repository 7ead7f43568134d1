"""Users: people and service accounts of a tenant. Nobody gives a role above its own; a disabled one's keys are refused at once.

Who calls with a key of one project sees those who hold a role there, in it or in all of the tenant.
"""

from dataclasses import replace

from gigawatt import clock
from gigawatt.model.accounts import CreateUser, SetDisabled
from gigawatt.model.change import Entity
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.roles import OF_TENANTS
from gigawatt.model.tenant import Caller, Grant, Role, Tenant, User, UserKind
from gigawatt.service.lookup import Filters, not_found
from gigawatt.service.permissions import may_give, verb
from gigawatt.service.receipts import once
from gigawatt.service.services import Services, Terms
from gigawatt.service.views.account import UserView, user_view
from gigawatt.service.views.text import PageView
from gigawatt.spec.requests import UserRequest

PHASES = ("active", "disabled")


@verb
async def page(
    caller: Caller, services: Services, filters: Filters, *, kind: str = ""
) -> PageView[UserView]:
    """Users, newest first; of one kind, if named."""
    wanted = replace(filters, project="")
    query = replace(wanted.query(caller, phases=PHASES, parent=kind), project="")
    found = await services.read(lambda: services.store.page(User, query))
    project = caller.project or filters.project
    return PageView(
        items=[user_view(each, project) for each in found.items if holds_in(each, project)],
        next=found.next,
    )


@verb
async def show(caller: Caller, services: Services, name: str, *, tenant: str = "") -> UserView:
    """One user. Raises RefusalError (not-found)."""
    return user_view(await found_user(caller, services, name, tenant), caller.project)


@verb
async def create(
    caller: Caller, services: Services, request: UserRequest, *, terms: Terms
) -> UserView:
    """A new user with one role, in a project or in all of the tenant. Raises RefusalError."""
    role, project = Role(request.role), caller.project or request.project
    check_giving(caller, role, request.project)
    if role in OF_TENANTS:
        check_wide(role, project)
    tenant = await named_tenant(caller, services, request.tenant)
    if role is Role.OPERATOR and tenant != caller.tenant:
        detail = "operators are users of the operators' own tenant"
        raise RefusalError(RefusalCode.FORBIDDEN, detail, field="tenant")
    user = User(
        id=f"{tenant}/{request.name}",
        tenant=tenant,
        name=request.name,
        kind=UserKind(request.kind),
        email=request.email,
        created_ms=clock.now_ms(),
        created_by=caller.name,
        grants=(Grant(project=project, role=role),),
    )
    made = await services.leader.submit(CreateUser(user=user), receipt=terms.receipt(tenant))
    assert isinstance(made, User)
    return user_view(made, caller.project)


@verb
async def disable(
    caller: Caller, services: Services, name: str, *, tenant: str = "", terms: Terms
) -> UserView:
    """Refuse all of a user's keys from now on, and end what is open on their behalf."""
    after = await _set_disabled(caller, services, (name, tenant), terms=terms, disabled=True)
    for key in services.leader.keys_of(after.id):
        services.revocations.tell(key)
    return user_view(after, caller.project)


@verb
async def enable(
    caller: Caller, services: Services, name: str, *, tenant: str = "", terms: Terms
) -> UserView:
    """Take a user's keys again, those that were not revoked."""
    after = await _set_disabled(caller, services, (name, tenant), terms=terms, disabled=False)
    for key in services.leader.keys_of(after.id):
        services.revocations.restore(key)
    return user_view(after, caller.project)


async def found_user(caller: Caller, services: Services, name: str, tenant: str = "") -> User:
    """The user of that name that the caller can see. Raises RefusalError (not-found)."""
    home = await named_tenant(caller, services, tenant)
    user = await services.read(lambda: services.store.read(User, f"{home}/{name}"))
    if user is None or not holds_in(user, caller.project):
        raise not_found("user", name)
    return user


async def named_tenant(caller: Caller, services: Services, wanted: str) -> str:
    """The tenant that a caller means: its own, for operators any that there is. Raises RefusalError (not-found)."""
    if wanted in ("", caller.tenant):
        return caller.tenant
    if caller.role is Role.OPERATOR:
        found = await services.read(lambda: services.store.read(Tenant, wanted))
        if found is not None:
            return wanted
    raise RefusalError(RefusalCode.NOT_FOUND, f"there is no tenant {wanted}", field="tenant")


def holds_in(user: User, project: str) -> bool:
    """Whether a user holds anything in a project; in any, for an empty one."""
    return not project or any(grant.project in ("", project) for grant in user.grants)


def check_giving(caller: Caller, role: Role, project: str) -> None:
    """Raises RefusalError for what a caller may neither give nor take: above its role, or beyond its project."""
    if caller.project and project not in ("", caller.project):
        detail = f"this key is for project {caller.project}, not {project}"
        raise RefusalError(RefusalCode.FORBIDDEN, detail, field="project")
    if not may_give(caller, role):
        detail = f"a caller with the role {caller.role.value} may not give or take {role.value}"
        raise RefusalError(RefusalCode.FORBIDDEN, detail, field="role")


def check_wide(role: Role, project: str) -> None:
    """Raises RefusalError where a role that is for whole tenants is to be for a project."""
    if project:
        raise RefusalError(
            RefusalCode.INVALID,
            f"{role.value} is a role in all of a tenant, not in project {project}",
            field="project",
            hint="leave the project out, with a key that is for the whole tenant",
        )


def forget_keys(services: Services, user: str) -> None:
    """Look again at what a user's keys may do: it has changed."""
    for key in services.leader.keys_of(user):
        services.keyring.forget(key)
        services.doors.forget(key)
        services.revocations.end(key)


async def _set_disabled(
    caller: Caller, services: Services, who: tuple[str, str], *, terms: Terms, disabled: bool
) -> User:
    user = await found_user(caller, services, *who)
    for grant in user.grants:
        check_giving(caller, grant.role, grant.project)
        if caller.project and not grant.project:
            detail = f"{user.name} has a role in all of the tenant, and this key is for a project"
            raise RefusalError(RefusalCode.FORBIDDEN, detail)

    async def write() -> Entity:
        command = SetDisabled(
            id=user.id, disabled=disabled, by=caller.name, if_version=terms.check(user.version)
        )
        return await services.leader.submit(command, receipt=terms.receipt(user.tenant))

    after = await once(User, services, terms, user.tenant, write)
    forget_keys(services, after.id)
    return after
