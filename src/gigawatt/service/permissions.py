"""Who may do what: one table from verb to roles, and the rule of whose objects a caller can see.

Every public verb of the service carries `@verb`, which looks its name up in the table before anything else happens. An
object that a caller cannot see does not exist for it: the answer is 404, never 403.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.roles import INCLUDES
from gigawatt.model.tenant import DEFAULT_PROJECT, Caller, Role
from gigawatt.service.acting import ACTING, Acting
from gigawatt.service.scopes import allows, known_scopes, scope_of

P = ParamSpec("P")
R = TypeVar("R")

_READERS = frozenset(
    {
        Role.VIEWER,
        Role.DEVELOPER,
        Role.PROJECT_ADMIN,
        Role.TENANT_ADMIN,
        Role.AUDITOR,
        Role.OPERATOR,
    }
)
_WRITERS = frozenset({Role.DEVELOPER, Role.PROJECT_ADMIN, Role.TENANT_ADMIN, Role.OPERATOR})
_ADMINS = frozenset({Role.PROJECT_ADMIN, Role.TENANT_ADMIN, Role.OPERATOR})
_TENANT_ADMINS = frozenset({Role.TENANT_ADMIN, Role.OPERATOR})
_OPERATORS = frozenset({Role.OPERATOR})
_BILLING = frozenset({Role.TENANT_ADMIN, Role.AUDITOR, Role.OPERATOR})  # what a tenant owes
_GATEWAYS = frozenset({Role.GATEWAY, Role.OPERATOR})
_AUDITORS = frozenset({Role.AUDITOR})
_RANK = frozenset({Role.RANK})
_EVERYONE = frozenset(Role)

VERBS: dict[str, frozenset[Role]] = {
    "jobs.submit": _WRITERS,
    "jobs.dry_run": _WRITERS,
    "asking.ask": _WRITERS,
    "jobs.page": _READERS,
    "jobs.show": _READERS | _RANK,
    "jobs.spec": _WRITERS,
    "jobs.cancel": _WRITERS,
    "jobs.retry": _WRITERS,
    "checkpoints.page": _READERS | _RANK,
    "checkpoints.verify": _WRITERS | _RANK,
    "arrays.submit": _WRITERS,
    "arrays.dry_run": _WRITERS,
    "arrays.page": _READERS,
    "arrays.show": _READERS,
    "arrays.tasks": _READERS,
    "arrays.cancel": _WRITERS,
    "arrays.retry": _WRITERS,
    "explain.explain": _READERS | _RANK,
    "logs.of_job": _READERS | _RANK,
    "logs.lines": _READERS | _RANK,
    "logs.of_endpoint": _READERS,
    "results.of_job": _READERS,
    "live.stacks": _READERS,
    "live.execute": _WRITERS,
    "talks.run": _WRITERS,
    "talks.attach": _WRITERS,
    "talks.connect": _WRITERS,
    "watch.job": _READERS | _RANK,
    "watch.array": _READERS,
    "environments.ensure": _WRITERS,
    "environments.page": _READERS,
    "environments.show": _READERS | _RANK,
    "environments.diff": _READERS,
    "environments.verify": _WRITERS,
    "environments.prune": _ADMINS,
    "secrets.put": _ADMINS,
    "secrets.page": _WRITERS,
    "secrets.remove": _ADMINS,
    "secrets.rotate": _OPERATORS,
    "artifacts.put": _WRITERS | _RANK,
    "artifacts.put_open": _WRITERS | _RANK,
    "artifacts.show": _READERS | _RANK,
    "artifacts.content": _READERS | _RANK,
    "artifacts.file_content": _READERS | _RANK,
    "artifacts.files_content": _READERS | _RANK,
    "artifacts.check_file": _WRITERS | _RANK,
    "uploads.show": _WRITERS | _RANK,
    "uploads.put": _WRITERS | _RANK,
    "uploads.finish": _WRITERS | _RANK,
    "uploads.missing": _WRITERS | _RANK,
    "uploads.put_pack": _WRITERS | _RANK,
    "models.register": _WRITERS | _RANK,
    "models.page": _READERS,
    "models.show": _READERS | _RANK,
    "models.show_version": _READERS | _RANK,
    "models.set_alias": _WRITERS,
    "models.remove_alias": _WRITERS,
    "promotions.page": _READERS,
    "cards.show": _READERS,
    "cards.put": _WRITERS,
    "lineage.show": _READERS,
    "volumes.create": _WRITERS | _RANK,
    "volumes.create_path": _ADMINS,
    "s3_volumes.create": _ADMINS,
    "s3_volumes.refresh": _WRITERS,
    "volumes.page": _READERS,
    "volumes.show": _READERS | _RANK,
    "volumes.set_quota": _ADMINS,
    "volumes.remove": _WRITERS,
    "datasets.check": _WRITERS | _RANK,
    "datasets.register": _WRITERS | _RANK,
    "datasets.page": _READERS | _RANK,
    "datasets.show": _READERS | _RANK,
    "datasets.files": _READERS | _RANK,
    "datasets.file_content": _READERS | _RANK,
    "datasets.diff": _READERS | _RANK,
    "datasets.remove": _WRITERS,
    "endpoints.put": _WRITERS,
    "endpoints.dry_run": _WRITERS,
    "endpoints.page": _READERS,
    "endpoints.show": _READERS,
    "endpoints.stop": _WRITERS,
    "rollouts.steer": _WRITERS,
    "rollouts.page": _READERS,
    "relabelling.change": _WRITERS,
    "templates.put": _WRITERS,
    "templates.page": _READERS,
    "templates.show": _READERS,
    "templates.remove": _WRITERS,
    "templates.submit": _WRITERS,
    "templates.dry_run": _WRITERS,
    "schedules.create": _WRITERS,
    "schedules.page": _READERS,
    "schedules.show": _READERS,
    "schedules.fires": _READERS,
    "schedules.pause": _WRITERS,
    "schedules.resume": _WRITERS,
    "schedules.run": _WRITERS,
    "schedules.remove": _WRITERS,
    "notifications.create": _WRITERS,
    "notifications.page": _READERS,
    "notifications.show": _READERS,
    "notifications.deliveries": _READERS,
    "notifications.redeliver": _WRITERS,
    "notifications.trial": _WRITERS,
    "notifications.remove": _WRITERS,
    "logs.of_workspace": _READERS,
    "workspaces.make": _WRITERS,
    "workspaces.page": _READERS,
    "workspaces.show": _READERS,
    "workspaces.start": _WRITERS,
    "workspaces.suspend": _WRITERS,
    "workspaces.extend": _WRITERS,
    "workspaces.delete": _WRITERS,
    "workspaces.enter": _WRITERS,
    "fleet.layout": _READERS,
    "fleet.state": _READERS,
    "fleet.show": _READERS,
    "fleet.spot": _READERS,
    "fleet.places": _READERS,
    "nodes.page": _READERS,
    "nodes.show": _READERS,
    "nodes.set_state": _OPERATORS,
    "nodes.check": _OPERATORS,
    "twin.play": _OPERATORS,
    "twin.played": _OPERATORS,
    "twin.show": _OPERATORS,
    "twin.cycles": _OPERATORS,
    "twin.replay": _OPERATORS,
    "reservations.page": _READERS,
    "reservations.show": _READERS,
    "reservations.make": _OPERATORS,
    "reservations.end": _OPERATORS,
    "power.page": _READERS,
    "power.show": _READERS,
    "power.change": _OPERATORS,
    "power.remove": _OPERATORS,
    "overview.show": _READERS,
    "queue.page": _READERS,
    "work.page": _READERS,
    "work.totals": _READERS,
    "ledger.totals": _READERS,
    "ledger.of_job": _READERS | _RANK,
    "usage.totals": _READERS,
    "usage.count": _GATEWAYS,
    "usage.spent": _GATEWAYS,
    "prices.page": _READERS,
    "prices.put": _OPERATORS,
    "prices.check": _OPERATORS,
    "agreements.page": _BILLING,
    "agreements.make": _OPERATORS,
    "invoices.page": _BILLING,
    "invoices.show": _BILLING,
    "invoices.content": _BILLING,
    "invoices.close": _OPERATORS,
    "invoices.verify": _OPERATORS,
    "invoices.statement": _OPERATORS,
    "postings.make": _OPERATORS,
    "postings.page": _BILLING,
    "costs.totals": _READERS,
    "budgets.page": _READERS,
    "budgets.put": _TENANT_ADMINS,
    "budgets.remove": _TENANT_ADMINS,
    "events.page": _READERS,
    "watch.events": _READERS,
    "retention.show": _READERS,
    "retention.set_policy": _ADMINS,
    "retention.dry_run": _ADMINS,
    "retention.prune": _ADMINS,
    "quotas.page": _READERS,
    "quotas.show": _READERS,
    "limits.show": _READERS,
    "quotas.change": _TENANT_ADMINS,
    "projects.page": _READERS,
    "projects.create": _TENANT_ADMINS,
    "tenants.page": _READERS,
    "tenants.show": _READERS,
    "tenants.create": _OPERATORS,
    "tenants.set_isolation": _OPERATORS,
    "users.page": _ADMINS | _AUDITORS,
    "users.show": _ADMINS | _AUDITORS,
    "users.create": _ADMINS,
    "users.disable": _ADMINS,
    "users.enable": _ADMINS,
    "members.page": _ADMINS | _AUDITORS,
    "members.give": _ADMINS,
    "members.take": _ADMINS,
    "audit.page": _TENANT_ADMINS | _AUDITORS,
    "audit.check": _TENANT_ADMINS | _AUDITORS,
    "keys.page": _READERS,
    "keys.create": _READERS,
    "keys.rotate": _READERS,
    "keys.revoke": _READERS,
    "allowances.of_key": _TENANT_ADMINS,
    "allowances.of_project": _TENANT_ADMINS,
    "gateway.configuration": _GATEWAYS,
    "gateway.report_demand": _GATEWAYS,
    "self_audit.report": _OPERATORS,
    "sessions.show": _READERS,
    "sessions.code": _READERS,
    "sessions.end": _READERS,
    "instance.show": _EVERYONE,
    "instance.whoami": _EVERYONE,
}

MAY_GIVE: dict[Role, frozenset[Role]] = {role: INCLUDES[role] for role in _ADMINS}

# Everyone's: of its own keys, some of which a sign-in made.
OWN_KEYS = frozenset({"keys.create", "keys.rotate", "keys.revoke", "sessions.code", "sessions.end"})
SCOPES = {
    name: scope_of(name, reads=bool(roles & {Role.VIEWER, Role.AUDITOR}) and name not in OWN_KEYS)
    for name, roles in VERBS.items()
}
KNOWN_SCOPES = known_scopes(SCOPES.values())


def verb(function: Callable[Concatenate[Caller, P], R]) -> Callable[Concatenate[Caller, P], R]:
    """Make `function` a verb: called by a role that the table does not give it to, it refuses."""
    name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
    roles = VERBS[name]

    @wraps(function)
    def checked(caller: Caller, *args: P.args, **kwargs: P.kwargs) -> R:
        ACTING.set(Acting(caller=caller, verb=name))
        if not may(caller, name):
            raise _forbidden(caller, name, roles)
        return function(caller, *args, **kwargs)

    return checked


def may(caller: Caller, name: str) -> bool:
    """Whether the table gives a verb to the caller's role, and its key's scopes have it."""
    return caller.role in VERBS[name] and allows(caller.scopes, SCOPES[name])


def administers(caller: Caller) -> bool:
    """Whether a caller looks after others' keys and roles."""
    return caller.role in _ADMINS


def may_give(caller: Caller, role: Role) -> bool:
    """Whether a caller may give this role, and take it: none above its own, and only if it administers."""
    return role in MAY_GIVE.get(caller.role, frozenset())


def sees(caller: Caller, tenant: str, project: str, *, gang: str = "") -> bool:
    """Whether an object of that tenant and project exists for this caller; a rank sees no gang but its own."""
    if caller.role is Role.RANK and gang and gang != caller.job:
        return False
    if caller.project and caller.project != project:
        return False
    return caller.role is Role.OPERATOR or tenant == caller.tenant


def home(caller: Caller, project: str) -> tuple[str, str]:
    """The tenant and project that a caller's new object belongs to. Raises RefusalError."""
    if caller.project and project and project != caller.project:
        raise RefusalError(
            RefusalCode.FORBIDDEN,
            f"this key is for project {caller.project}, not {project}",
            field="project",
            hint="use a key of that project, or leave the project out",
        )
    return caller.tenant, caller.project or project or DEFAULT_PROJECT


def within(caller: Caller, tenant: str, project: str) -> tuple[str, str]:
    """The tenant and project that a caller's list is about, empty for all. Raises RefusalError for a foreign one."""
    every = caller.role is Role.OPERATOR
    if tenant and tenant != caller.tenant and not every:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no tenant {tenant}", field="tenant")
    if caller.project and project and project != caller.project:
        detail = f"there is no project {project}"
        raise RefusalError(RefusalCode.NOT_FOUND, detail, field="project")
    return tenant if every else caller.tenant, caller.project or project


def _out_of_scope(caller: Caller, name: str) -> RefusalError:
    return RefusalError(
        RefusalCode.FORBIDDEN,
        f"this key is not for {name}: it has the scopes {', '.join(caller.scopes)}",
        hint=f"it takes a key with the scope {SCOPES[name]}",
    )


def _forbidden(caller: Caller, name: str, roles: frozenset[Role]) -> RefusalError:
    if caller.role in roles:
        return _out_of_scope(caller, name)
    need = ", ".join(sorted(role.value for role in roles - _RANK))
    return RefusalError(
        RefusalCode.FORBIDDEN,
        f"a key with the role {caller.role.value} may not do {name}",
        hint=f"it takes one of: {need}",
    )
