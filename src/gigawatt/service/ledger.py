"""Where device time went: totals of the site, of a tenant, or of one job.

The store has what is settled; the time since then follows from the open accounts. Both are read until nothing was
committed in between, so that what is told sums to what is installed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gigawatt import clock
from gigawatt.ledger.account import settle
from gigawatt.ledger.goodput import ettr, goodput
from gigawatt.model.attempt import Attempt
from gigawatt.model.ledger import LedgerEntry, NodeAccount, TimeClass
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.tenant import Caller, Role
from gigawatt.service.lookup import find_job
from gigawatt.service.permissions import verb, within
from gigawatt.service.services import Services
from gigawatt.service.views.ledger import AttemptTimeView, GoodputView, LedgerView
from gigawatt.store.base import LedgerQuery, Query, Store

UNITS = ("milli_gpu_ms", "milli_core_ms")
READS_MAX = 50
ACCOUNTS_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFilter:
    """Of which unit, whose, where and when. No unit: GPU time where there are GPUs, else core time."""

    unit: str = ""
    tenant: str = ""
    project: str = ""
    node: str = ""
    since_ms: int = 0
    until_ms: int = 0


@verb
async def totals(caller: Caller, services: Services, wanted: LedgerFilter) -> LedgerView:
    """Installed time by class. Those who do not operate the site see their tenant's share of it."""
    if wanted.unit and wanted.unit not in UNITS:
        detail = f"unit must be one of {', '.join(UNITS)}, not {wanted.unit}"
        raise RefusalError(RefusalCode.INVALID, detail, field="unit")
    tenant, project = within(caller, wanted.tenant, wanted.project)
    query = LedgerQuery(
        tenant=tenant,
        project=project,
        node=wanted.node,
        since_ms=wanted.since_ms,
        until_ms=wanted.until_ms,
    )
    sums = await services.read(lambda: read_sums(services.store, query, now_ms=clock.now_ms()))
    unit = wanted.unit or sums.main_unit()
    classes = sums.of(unit)
    whole_site = caller.role is Role.OPERATOR and not (tenant or project or wanted.since_ms)
    counted = whole_site and not wanted.until_ms
    return LedgerView(
        unit=unit,
        installed=sums.installed.get(unit, 0) if counted else sum(classes.values()),
        classes={time_class.value: amount for time_class, amount in classes.items()},
        since_ms=wanted.since_ms or sums.since_ms,
        until_ms=wanted.until_ms or sums.until_ms,
    )


@verb
async def of_job(
    caller: Caller, services: Services, reference: str, *, project: str = ""
) -> GoodputView:
    """What became of the time that a job's gangs held."""
    job = await find_job(caller, services, reference, project)
    now_ms = clock.now_ms()
    query = LedgerQuery(gang=job.id)
    sums = await services.read(lambda: read_sums(services.store, query, now_ms=now_ms))
    unit = sums.main_unit()
    classes = sums.of(unit)
    shape = job.spec.shape
    per_node = shape.per_node.milli_gpu if unit == UNITS[0] else shape.per_node.milli_cpu
    nodes = max((attempt.place_count for attempt in job.attempts), default=shape.nodes_min)
    wall_ms = (job.ended_ms or now_ms) - job.created_ms
    return GoodputView(
        job=job.id,
        unit=unit,
        total=sum(classes.values()),
        classes={time_class.value: amount for time_class, amount in classes.items()},
        goodput=goodput(classes),
        ettr=ettr(classes, units=per_node * nodes, wall_ms=wall_ms),
        attempts=tuple(_attempt_time(each, per_node, now_ms) for each in job.attempts),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """`unit_ms` by unit and class up to `until_ms`, and what was installed of each unit, counted apart."""

    amounts: dict[tuple[str, TimeClass], int]
    installed: dict[str, int]
    since_ms: int
    until_ms: int

    def of(self, unit: str) -> dict[TimeClass, int]:
        """Every class, in the order of their definition."""
        return {time_class: self.amounts.get((unit, time_class), 0) for time_class in TimeClass}

    def main_unit(self) -> str:
        """GPU time where there is any, else core time."""
        gpus = self.installed.get(UNITS[0]) or any(unit == UNITS[0] for unit, _ in self.amounts)
        return UNITS[0] if gpus else UNITS[1]


def read_sums(store: Store, query: LedgerQuery, *, now_ms: int) -> Sums:
    """The store's totals and the open accounts, settled up to `now_ms`. Blocks. Raises RefusalError (unavailable)."""
    accounts = _accounts(store)
    for _ in range(READS_MAX):
        settled = store.ledger_totals(query)
        after = _accounts(store)
        if after == accounts:
            amounts = {(each.unit, each.time_class): each.unit_ms for each in settled}
            return _with_open(amounts, accounts, query, now_ms)
        accounts = after
    raise RefusalError(
        RefusalCode.UNAVAILABLE, "the ledger changes too fast to be read whole", hint="try again"
    )


def _with_open(
    amounts: dict[tuple[str, TimeClass], int],
    accounts: Iterable[NodeAccount],
    query: LedgerQuery,
    now_ms: int,
) -> Sums:
    installed: dict[str, int] = {}
    since_ms = until_ms = now_ms
    open_until_ms = min(now_ms, query.until_ms) if query.until_ms else now_ms
    for account in accounts:
        if query.node and account.id != query.node:
            continue
        after, entries = settle(account, now_ms=open_until_ms)
        since_ms = min(since_ms, account.installed_ms)
        installed[account.unit] = installed.get(account.unit, 0) + after.installed_unit_ms
        for entry in entries:
            if _matches(entry, query):
                key = (entry.unit, entry.time_class)
                amounts[key] = amounts.get(key, 0) + entry.unit_ms
    return Sums(amounts=amounts, installed=installed, since_ms=since_ms, until_ms=until_ms)


def _matches(entry: LedgerEntry, query: LedgerQuery) -> bool:
    return (
        (not query.tenant or entry.tenant == query.tenant)
        and (not query.project or entry.project == query.project)
        and (not query.gang or entry.gang == query.gang)
        and entry.at_ms >= query.since_ms
    )


def _accounts(store: Store) -> tuple[NodeAccount, ...]:
    found: list[NodeAccount] = []
    query = Query(limit=ACCOUNTS_LIMIT)
    while True:
        page = store.page(NodeAccount, query)
        found.extend(page.items)
        if not page.next:
            return tuple(found)
        query = replace(query, cursor=page.next)


def _attempt_time(attempt: Attempt, per_node: int, now_ms: int) -> AttemptTimeView:
    span_ms = (attempt.ended_ms or now_ms) - attempt.placed_ms
    return AttemptTimeView(
        n=attempt.n,
        verdict=attempt.verdict.value if attempt.verdict else None,
        charged_to=attempt.charged_to,
        nodes=attempt.nodes,
        placed_ms=attempt.placed_ms,
        first_step_ms=attempt.first_step_ms,
        ended_ms=attempt.ended_ms,
        unit_ms=per_node * attempt.place_count * max(span_ms, 0),
    )
