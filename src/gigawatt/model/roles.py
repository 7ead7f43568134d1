"""What roles include, and the role that a key still has: never more than its owner."""

from gigawatt.model.tenant import ApiKey, Grant, Role, User

_PROJECT_ADMIN = frozenset({Role.VIEWER, Role.DEVELOPER, Role.PROJECT_ADMIN})

INCLUDES: dict[Role, frozenset[Role]] = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.DEVELOPER: frozenset({Role.VIEWER, Role.DEVELOPER}),
    Role.PROJECT_ADMIN: _PROJECT_ADMIN,
    Role.TENANT_ADMIN: _PROJECT_ADMIN | {Role.TENANT_ADMIN, Role.AUDITOR},
    Role.AUDITOR: frozenset({Role.AUDITOR}),
    Role.OPERATOR: frozenset(Role) - {Role.RANK},
    Role.GATEWAY: frozenset({Role.GATEWAY}),
    Role.RANK: frozenset({Role.RANK}),
}
OF_TENANTS = frozenset({Role.TENANT_ADMIN, Role.AUDITOR, Role.OPERATOR})  # never for one project


def held(user: User, tenant: str, project: str) -> tuple[Grant, ...]:
    """What a user holds in a project, or with an empty one in all of a tenant. Only operators hold any elsewhere."""
    return tuple(
        grant
        for grant in user.grants
        if grant.project in ("", project) and (user.tenant == tenant or grant.role is Role.OPERATOR)
    )


def standing(key: ApiKey, owner: User | None) -> Role | None:
    """The role that a key has now: its own, or what is left of it where its owner holds less; None for none at all."""
    if not key.user:
        return key.role
    if owner is None or owner.disabled_ms is not None:
        return None
    roles = [grant.role for grant in held(owner, key.tenant, key.project)]
    if any(key.role in INCLUDES[role] for role in roles):
        return key.role
    lower = [role for role in roles if role in INCLUDES[key.role]]
    return max(lower, key=lambda role: len(INCLUDES[role]), default=None)
