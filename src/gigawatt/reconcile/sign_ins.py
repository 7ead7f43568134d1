"""Users that sign in by a provider: made at their first sign-in, and holding what its rules say at each."""

from gigawatt.model.accounts import BeginSession, WithdrawAccount
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import ApiKey, Grant, User, UserKind
from gigawatt.model.values import replace
from gigawatt.reconcile.turn import Turn

NAMES_MAX = 100  # of the same spelling, of different accounts
USERS_MAX = 100_000  # of all tenants together


def command(turn: Turn, asked: BeginSession | WithdrawAccount) -> ApiKey | User:
    """Do what a sign-in came to. Raises RefusalError, having changed nothing."""
    if isinstance(asked, BeginSession):
        return begin(turn, asked)
    return withdraw(turn, asked)


def begin(turn: Turn, command: BeginSession) -> ApiKey:
    """The session's key, with its user. Raises RefusalError (forbidden) for one that is disabled."""
    tenant, project = command.key.tenant, command.key.project
    if tenant not in turn.world.tenants or (
        project and f"{tenant}/{project}" not in turn.world.projects
    ):
        place = f"{tenant}/{project}" if project else tenant
        detail = f"there is no {place}, which a rule of sign-in names"
        raise RefusalError(RefusalCode.FORBIDDEN, detail, field="project")
    same = _of_account(turn, command.account)
    user = next((each for each in same if each.tenant == tenant), None)
    if any(each.disabled_ms is not None for each in same):
        raise RefusalError(
            RefusalCode.FORBIDDEN,
            f"{command.name} is disabled here",
            hint="ask an administrator: gw users enable NAME",
        )
    grants = (Grant(project=project, role=command.key.role),)
    by = command.key.created_by
    user = _made(turn, command, grants) if user is None else _hold(turn, user, grants, by)
    for each in same:
        if each.tenant != tenant:
            _hold(turn, each, (), by)
    if command.email not in ("", user.email):
        user = turn.put(replace(user, email=command.email))
    key = turn.put(replace(command.key, user=user.id))
    turn.emit("key.created", key, f"{key.name} ({key.role.value}) by {key.created_by}")
    return key


def withdraw(turn: Turn, command: WithdrawAccount) -> User:
    """One of the account's users; it and the others hold nothing. Raises RefusalError (not-found)."""
    found = turn.world.users.get(command.user)
    if found is None or not found.account:
        raise RefusalError(RefusalCode.NOT_FOUND, f"there is no user {command.user}")
    for each in _of_account(turn, found.account):
        _hold(turn, each, (), command.by)
    return turn.world.users[found.id]


def _of_account(turn: Turn, account: str) -> list[User]:
    found = (each for each in turn.world.users.values() if each.account == account)
    return sorted(found, key=lambda each: each.id)


def _hold(turn: Turn, before: User, grants: tuple[Grant, ...], by: str) -> User:
    if before.grants == grants:
        return before
    after = turn.put(replace(before, grants=grants))
    for grant in grants:
        where = grant.project or "every project"
        told = f"{after.name} is {grant.role.value} in {where}, by {by}"
        turn.emit("user.granted", after, told)
    if not grants:
        turn.emit("user.ungranted", after, f"{after.name} holds nothing any more, by {by}")
    return after


def _made(turn: Turn, command: BeginSession, grants: tuple[Grant, ...]) -> User:
    if len(turn.world.users) >= USERS_MAX:
        raise RefusalError(RefusalCode.LIMIT, f"there are {USERS_MAX} users, which is the limit")
    key = command.key
    name = _free_name(turn, key.tenant, command.name)
    user = turn.put(
        User(
            id=f"{key.tenant}/{name}",
            tenant=key.tenant,
            name=name,
            kind=UserKind.PERSON,
            created_ms=turn.now_ms,
            created_by=key.created_by,
            email=command.email,
            grants=grants,
            account=command.account,
        )
    )
    turn.emit("user.created", user, f"{user.kind.value} {user.name} by {user.created_by}")
    return user


def _free_name(turn: Turn, tenant: str, wanted: str) -> str:
    """That name, or with a number where another account or a user made by hand has it."""
    names = (wanted, *(f"{wanted[:58].rstrip('-')}-{n}" for n in range(2, NAMES_MAX)))
    for name in names:
        if f"{tenant}/{name}" not in turn.world.users:
            return name
    detail = f"{NAMES_MAX} accounts are called {wanted} here, which is the limit"
    raise RefusalError(RefusalCode.LIMIT, detail)
