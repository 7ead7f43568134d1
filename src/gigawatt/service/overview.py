"""The overview: what devices do now and did of late, what an hour of it costs, and how much there is of everything.

What is read from the ledger is kept for a while for each tenant and project, the longer the longer it took to read: it
changes slowly, and there may be much of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from gigawatt import clock
from gigawatt.ledger.account import settle
from gigawatt.ledger.charges import Quantity, of_entry
from gigawatt.ledger.history import Piece, Span, laid_out
from gigawatt.ledger.invoice import exact_cost
from gigawatt.ledger.rates import currency_of
from gigawatt.model.array import JobArray
from gigawatt.model.endpoint import Endpoint
from gigawatt.model.job import Job
from gigawatt.model.ledger import LedgerEntry, NodeAccount, TimeClass
from gigawatt.model.node import Node
from gigawatt.model.tenant import Caller, Role
from gigawatt.model.values import replace
from gigawatt.model.workspace import Workspace
from gigawatt.service.billing import read_rates
from gigawatt.service.ledger import UNITS
from gigawatt.service.permissions import verb, within
from gigawatt.service.services import Services
from gigawatt.service.views.overview import HistoryView, OverviewView, RateView
from gigawatt.store.base import LedgerMoment, LedgerQuery, Query, Store

SPANS = 96
MOMENTS_MAX = 50_000  # of nodes; more are read by spans
FRESH_FACTOR = 50  # kept for so many times of what reading took
FRESH_MS_MAX = 60_000
KEPT_MAX = 1_000
HOUR_MS = 3_600_000
DEVICES = {UNITS[0]: "GPU", UNITS[1]: "CPU"}
OURS = frozenset({TimeClass.IDLE, TimeClass.DRAINED, TimeClass.DOWN, TimeClass.TESTED})
KEPT = (TimeClass.USEFUL, TimeClass.SERVING, TimeClass.CHECKPOINTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What the ledger says of a tenant, a project, or all."""

    history: HistoryView
    goodput: float | None
    rate: RateView


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose part is looked at, empty for all, in which unit, since when."""

    tenant: str
    project: str
    unit: str
    since_ms: int
    step_ms: int


@verb
async def show(caller: Caller, services: Services, *, span_s: int = 86_400) -> OverviewView:
    """All at a glance; those who do not operate the site see their tenant's part, or their project's."""
    tenant, project = within(caller, "", "")
    accounts = services.leader.accounts_now()
    unit = UNITS[0] if any(each.unit == UNITS[0] for each in accounts) else UNITS[1]
    now_ms, step_ms = clock.now_ms(), span_s * 1_000 // SPANS
    scope = Scope(
        tenant=tenant,
        project=project,
        unit=unit,
        since_ms=(now_ms // step_ms - SPANS + 1) * step_ms,
        step_ms=step_ms,
    )
    glance = await _glance(services, accounts, scope, now_ms)
    query = Query(tenant=tenant, project=project)
    tasks_apart = replace(query, orphans=True)
    counts = await services.read(
        lambda: (
            services.store.count(Job, tasks_apart),
            services.store.count(JobArray, query),
            services.store.count(Endpoint, query),
            services.store.count(Workspace, query),
            services.store.count(Node, Query()),
        )
    )
    now = _now(accounts, scope, whole=caller.role is Role.OPERATOR)
    return OverviewView(
        unit=DEVICES[unit],
        installed=sum(each.installed for each in accounts if each.unit == unit),
        now={each.value: amount for each, amount in now.items()},
        goodput=glance.goodput,
        history=glance.history,
        rate=glance.rate,
        jobs=counts[0],
        arrays=counts[1],
        endpoints=counts[2],
        workspaces=counts[3],
        nodes=counts[4],
    )


async def _glance(
    services: Services, accounts: tuple[NodeAccount, ...], scope: Scope, now_ms: int
) -> Glance:
    key = (scope.tenant, scope.project, scope.unit, scope.step_ms)
    kept = services.glances.get(key)
    if kept is not None and now_ms < kept[0]:
        assert isinstance(kept[1], Glance)
        return kept[1]
    began_s = clock.monotonic_s()
    made = await services.read(lambda: _read(services.store, accounts, scope, now_ms))
    took_ms = round((clock.monotonic_s() - began_s) * 1_000)
    if len(services.glances) >= KEPT_MAX:
        services.glances.clear()
    services.glances[key] = (now_ms + min(took_ms * FRESH_FACTOR, FRESH_MS_MAX), made)
    return made


def _read(store: Store, accounts: tuple[NodeAccount, ...], scope: Scope, now_ms: int) -> Glance:
    """Blocks."""
    query = LedgerQuery(tenant=scope.tenant, project=scope.project, since_ms=scope.since_ms)
    moments = store.ledger_moments(query, step_ms=scope.step_ms, limit=MOMENTS_MAX)
    pieces = [*_recorded(moments, accounts, scope), *_open(accounts, scope, now_ms)]
    spans = laid_out(pieces, since_ms=scope.since_ms, step_ms=scope.step_ms, count=SPANS)
    return Glance(
        history=HistoryView(
            since_ms=scope.since_ms,
            step_ms=scope.step_ms,
            classes={
                each.value: tuple(span[each] for span in spans)
                for each in TimeClass
                if any(span[each] for span in spans)
            },
        ),
        goodput=_goodput(spans),
        rate=_rate(store, accounts, scope, now_ms),
    )


def _recorded(
    moments: tuple[LedgerMoment, ...], accounts: tuple[NodeAccount, ...], scope: Scope
) -> list[Piece]:
    installed = {each.id: each.installed for each in accounts}
    sums: dict[tuple[str, int], int] = {}
    for each in moments:
        key = (each.node, each.at_ms)
        sums[key] = sums.get(key, 0) + each.unit_ms
    pieces: list[Piece] = []
    for each in moments:
        if each.unit != scope.unit or not each.asked_unit_ms:
            continue
        of_node = installed.get(each.node, 0)
        span_ms = sums[each.node, each.at_ms] // of_node if of_node else scope.step_ms
        pieces.append(
            Piece(
                end_ms=each.at_ms,
                span_ms=span_ms,
                time_class=each.time_class,
                unit_ms=each.asked_unit_ms,
            )
        )
    return pieces


def _open(accounts: tuple[NodeAccount, ...], scope: Scope, now_ms: int) -> list[Piece]:
    """What is not on record yet."""
    return [
        Piece(
            end_ms=now_ms,
            span_ms=now_ms - account.accounted_to_ms,
            time_class=entry.time_class,
            unit_ms=entry.unit_ms,
        )
        for account in accounts
        if account.unit == scope.unit
        for entry in settle(account, now_ms=now_ms)[1]
        if _is_asked(entry, scope)
    ]


def _goodput(spans: tuple[Span, ...]) -> float | None:
    allocated = sum(sum(span.values()) - sum(span[each] for each in OURS) for span in spans)
    kept = sum(span[each] for span in spans for each in KEPT)
    return kept / allocated if allocated else None


def _rate(store: Store, accounts: tuple[NodeAccount, ...], scope: Scope, now_ms: int) -> RateView:
    rates = read_rates(store)
    currency = currency_of(rates, now_ms)
    if not currency:
        return RateView(currency="", per_hour="0")
    cost = sum(
        (exact_cost(each, rates) for each in _next_hour(accounts, scope, now_ms)), Fraction(0)
    )
    return RateView(currency=currency, per_hour=f"{float(cost):.4f}")


def _next_hour(accounts: Iterable[NodeAccount], scope: Scope, now_ms: int) -> tuple[Quantity, ...]:
    """What an hour of what is in use now comes to, summed where the price is the same."""
    sums: dict[Quantity, int] = {}
    for account in accounts:
        at_once = replace(account, accounted_to_ms=now_ms)
        for entry in settle(at_once, now_ms=now_ms + HOUR_MS)[1]:
            if entry.tenant and _is_asked(entry, scope):
                found = of_entry(entry)
                key = replace(found, quantity=0)
                sums[key] = sums.get(key, 0) + found.quantity
    return tuple(replace(each, quantity=amount) for each, amount in sums.items())


def _is_asked(entry: LedgerEntry, scope: Scope) -> bool:
    return (not scope.tenant or entry.tenant == scope.tenant) and (
        not scope.project or entry.project == scope.project
    )


def _now(accounts: tuple[NodeAccount, ...], scope: Scope, *, whole: bool) -> dict[TimeClass, int]:
    """What devices are used for at this moment; with what nobody uses, for who operates the site."""
    now = dict.fromkeys(TimeClass, 0)
    for account in accounts:
        if account.unit != scope.unit:
            continue
        used = 0
        for use in account.uses:
            used += use.units
            mine = not scope.tenant or use.tenant == scope.tenant
            if mine and (not scope.project or use.project == scope.project):
                now[use.time_class] += use.units
        if whole:
            now[account.rest_class] += account.installed - used
    return now
