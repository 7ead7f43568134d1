"""Everything that a project may have, and what it has of it: devices, replicas, storage, requests, tokens and money."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from gigawatt import clock
from gigawatt.ledger.calendar import month_of
from gigawatt.ledger.rates import currency_of
from gigawatt.model.budget import Budget
from gigawatt.model.endpoint import Replica
from gigawatt.model.resources import KINDS
from gigawatt.model.tenant import Caller, Project
from gigawatt.service.billing import every, read_rates
from gigawatt.service.lookup import find_project
from gigawatt.service.occupied import NOTHING, Kept, kept_by_project
from gigawatt.service.permissions import verb
from gigawatt.service.ports import Owed
from gigawatt.service.services import Services
from gigawatt.service.spent import spent_by
from gigawatt.service.views.money import plain
from gigawatt.service.views.quotas import KeptView, LimitsView, LimitView
from gigawatt.store.base import Query, Store

WAITS = "new work waits"
REFUSED = "answers 429"
NO_MORE = "endpoints get no more"
NOT_STORED = "nothing more is stored"
NEAR, FULL = 80, 100  # percent
TENANT = "tenant"
UNITS = {"milli_gpu": ("gpus", "GPU"), "milli_cpu": ("cpus", "core")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What of a tenant the limits are held against."""

    projects: dict[str, Project]
    owed: dict[str, Owed]
    replicas: dict[str, int]
    kept: dict[str, Kept]

    def below(self, name: str) -> list[str]:
        """A project, and those that are part of it at any depth."""
        names = [name]
        for each in names:
            names += [
                project.name
                for project in self.projects.values()
                if project.entitlement.parent == each and project.name not in names
            ]
        return names


@verb
async def show(caller: Caller, services: Services, *, project: str) -> LimitsView:
    """What one project may have and has. Raises RefusalError."""
    found = await find_project(caller, services, project)
    owed = services.leader.owed()
    return await asyncio.to_thread(_shown, services, found, owed, whole=not caller.project)


def _shown(
    services: Services, project: Project, owed: dict[str, Owed], *, whole: bool
) -> LimitsView:
    """`whole` is for who may see all of the tenant: what others use is shown to nobody else."""
    store, query = services.store, Query(tenant=project.tenant)
    at_ms = clock.now_ms()
    facts = _Facts(
        projects={each.name: each for each in every(store, Project, query)},
        owed=owed,
        replicas=_replicas(store, query),
        kept=kept_by_project(store, services.workspaces.homes, query),
    )
    kept = facts.kept.get(project.id, NOTHING)
    items = [*_standing(facts, project), *_gateway(project)]
    parent = project.entitlement.parent
    while parent and (above := facts.projects.get(parent)):
        limits = [each for each in _standing(facts, above) if each.limit is not None]
        items += limits if whole else [_without_use(each) for each in limits]
        parent = above.entitlement.parent
    items += [each for each in _money(store, project, at_ms) if whole or each.whose != TENANT]
    return LimitsView(
        tenant=project.tenant,
        project=project.name,
        month=month_of(at_ms),
        kept=KeptView(
            artifacts=kept.artifacts, checkpoints=kept.checkpoints, workspaces=kept.workspaces
        ),
        items=tuple(items),
    )


def _replicas(store: Store, query: Query) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in every(store, Replica, Query(tenant=query.tenant, live_only=True)):
        if not each.stopping:
            counts[each.project] = counts.get(each.project, 0) + 1
    return counts


def _standing(facts: _Facts, project: Project) -> Iterator[LimitView]:
    """What holds for a project with all below it."""
    terms, owed = project.entitlement, facts.owed.get(project.id)
    used = owed.used if owed else (0,) * len(KINDS)
    for kind, amount, limit in zip(KINDS, used, terms.limit.vector(), strict=False):
        what, unit = UNITS.get(kind, ("memory", "byte"))
        per = 1 if kind == "memory_bytes" else 1_000
        yield _limit(what, unit, project.name, _of(amount, per), _of(limit, per), then=WAITS)
    by_kind = dict(zip(owed.kinds, used[len(KINDS) :], strict=True)) if owed else {}
    for kind, limit in terms.limit.kinds:
        amount = _of(by_kind.get(kind, 0), 1_000)
        yield _limit(f"gpus {kind}", "GPU", project.name, amount, _of(limit, 1_000), then=WAITS)
    names = facts.below(project.name)
    replicas = sum(facts.replicas.get(each, 0) for each in names)
    yield _limit("replicas", "replica", project.name, replicas, terms.caps.replicas, then=NO_MORE)
    kept = sum(facts.kept.get(f"{project.tenant}/{each}", NOTHING).total for each in names)
    yield _limit("storage", "byte", project.name, kept, terms.caps.storage_bytes, then=NOT_STORED)


def _gateway(project: Project) -> Iterator[LimitView]:
    """What all its keys together may have of its endpoints. How much that is at the moment, gateways know."""
    allowed = project.allowance
    for what, unit, limit in (
        ("requests a second", "request", allowed.requests_per_s),
        ("tokens a minute", "token", allowed.tokens_per_min),
        ("requests at once", "request", allowed.concurrent),
    ):
        yield _limit(what, unit, project.name, None, limit or None, then=REFUSED)


def _money(store: Store, project: Project, at_ms: int) -> Iterator[LimitView]:
    """Sums of the month: those of the project, and its tenant's budget where there is one."""
    money, tokens = spent_by(store, project.tenant, project.name, at_ms=at_ms)
    currency = currency_of(read_rates(store), at_ms)
    limit = project.allowance.tokens_per_month or None
    yield _limit("tokens a month", "token", project.name, tokens, limit, then=REFUSED)
    own = _budget(store, project.id)
    then = _then(own)
    amount = own.amount if own else None
    yield _limit("money a month", currency, project.name, money, amount, then=then)
    if own and own.tokens:
        yield _limit("budget of tokens", "token", project.name, tokens, own.tokens, then=then)
    tenants = _budget(store, project.tenant)
    if tenants is None:
        return
    then = _then(tenants)
    if tenants.amount is not None:
        yield _limit("money a month", currency, TENANT, tenants.spent, tenants.amount, then=then)
    if tenants.tokens:
        used = tenants.spent_tokens
        yield _limit("budget of tokens", "token", TENANT, used, tenants.tokens, then=then)


def _without_use(limit: LimitView) -> LimitView:
    state = limit.state if limit.state == "off" else "open"
    return replace(limit, used=None, percent=None, state=state)


def _budget(store: Store, id: str) -> Budget | None:
    found = store.read(Budget, id)
    return found if found is not None and found.deleted_ms is None else None


def _then(budget: Budget | None) -> str:
    if budget is None or not budget.refuses:
        return "it is told" if budget else ""
    return "nothing new starts, and what runs is stopped" if budget.stops else "nothing new starts"


def _of(amount: int, per: int) -> Decimal | None:
    """An amount in units as people have them; None for one that is not set."""
    return None if amount < 0 else Decimal(amount) / per


def _limit(
    what: str,
    unit: str,
    whose: str,
    used: Decimal | int | None,
    limit: Decimal | int | None,
    *,
    then: str,
) -> LimitView:
    percent = None
    if limit is not None and used is not None:
        percent = int(Fraction(used) * 100 / Fraction(limit)) if limit else FULL
    state = "off" if limit is None else "open"
    if percent is not None and percent >= NEAR:
        state = "reached" if percent >= FULL else "near"
    return LimitView(
        what=what,
        unit=unit,
        whose=whose,
        used=_text(used),
        limit=_text(limit),
        percent=percent,
        state=state,
        then=then if limit is not None else "",
    )


def _text(amount: Decimal | int | None) -> str | None:
    return None if amount is None else plain(Decimal(amount))
