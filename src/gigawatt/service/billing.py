"""What invoices and showback are worked out from: prices, quantities, postings, closings, as the store and the open
accounts have them. Everything here blocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

from gigawatt.ledger.account import settle
from gigawatt.ledger.calendar import month_end_ms, month_of, month_start_ms
from gigawatt.ledger.charges import UNUSABLE, Quantity, of_entry, of_meter
from gigawatt.ledger.credits import Availability
from gigawatt.ledger.invoice import Account, Period, invoice
from gigawatt.ledger.rates import Rates
from gigawatt.ledger.wording import digest_of, invoice_text
from gigawatt.model.bill import NOTHING, Closing, Invoice, Posting
from gigawatt.model.change import Entity
from gigawatt.model.ledger import DAY_MS, NodeAccount
from gigawatt.model.prices import Agreement, PriceVersion
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.model.stored import StorageAccount
from gigawatt.reconcile.storage import pending
from gigawatt.store.base import MeterQuery, Query, Store

E = TypeVar("E", bound=Entity)

PAGE = 500
READS_MAX = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Opens:
    """The accounts whose last time is not on record yet."""

    nodes: tuple[NodeAccount, ...]
    storage: tuple[StorageAccount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """A month and what came before it. `closing` is None while the month is open: then all is as it is now."""

    rates: Rates
    period: Period
    closing: Closing | None
    before: Closing | None


def every(store: Store, kind: type[E], query: Query | None = None) -> Iterator[E]:
    """All of a kind, newest first."""
    query = replace(query or Query(), limit=PAGE)
    while True:
        page = store.page(kind, query)
        yield from page.items
        if not page.next:
            return
        query = replace(query, cursor=page.next)


def read_rates(store: Store) -> Rates:
    """Every version of the price book, and every agreement."""
    return Rates(every(store, PriceVersion), every(store, Agreement))


def closings(store: Store) -> list[Closing]:
    """In the order of their months."""
    return sorted(every(store, Closing), key=lambda each: each.id)


def books(store: Store, month: str, *, now_ms: int) -> Books:
    """The books of a month as they are: closed, or open."""
    known = closings(store)
    closing = next((each for each in known if each.id == month), None)
    before = max(
        (each for each in known if each.id < month), key=lambda each: each.id, default=None
    )
    period = Period(
        month=month,
        start_ms=month_start_ms(month),
        end_ms=month_end_ms(month),
        created_ms=closing.created_ms if closing else now_ms,
    )
    return Books(rates=read_rates(store), period=period, closing=closing, before=before)


def invoices(store: Store, found: Books, *, tenant: str = "") -> tuple[Invoice, ...]:
    """What each tenant owes for the month, or one of them; sorted by tenant."""
    accounts = _accounts(store, found, tenant)
    made = (invoice(accounts[name], found.rates, found.period) for name in sorted(accounts))
    return tuple(replace(each, digest=digest_of(invoice_text(each))) for each in made)


def month_quantities(store: Store, found: Books, *, tenant: str = "") -> tuple[Quantity, ...]:
    """What invoices of the month charge, with late corrections of earlier ones; also what is nobody's."""
    period, closing = found.period, found.closing
    query = MeterQuery(tenant=tenant, since_ms=period.start_ms, until_ms=period.end_ms)
    if closing is None:
        current = quantities(store, query, now_ms=min(period.created_ms, period.end_ms))
    else:
        query = _through(query, closing)
        current = store.quantities(query)
    return (*current, *_late(store, found, tenant))


def quantities(store: Store, query: MeterQuery, *, now_ms: int) -> tuple[Quantity, ...]:
    """What is on record and what the open accounts come to by now. Raises RefusalError (unavailable)."""
    opens = _opens(store)
    for _ in range(READS_MAX):
        recorded = store.quantities(query)
        after = _opens(store)
        if after == opens:
            return (*recorded, *_pending(opens, query, now_ms))
        opens = after
    raise RefusalError(
        RefusalCode.UNAVAILABLE, "the ledger changes too fast to be read whole", hint="try again"
    )


def _through(query: MeterQuery, closing: Closing) -> MeterQuery:
    return replace(query, entries_through=closing.entry_row, meters_through=closing.meter_row)


def _late(store: Store, found: Books, tenant: str) -> Iterator[Quantity]:
    """Of months before, what their closings did not know of yet."""
    before, closing = found.before, found.closing
    if closing is None and (before is None or before.end_ms != found.period.start_ms):
        return  # earlier months are to be closed first, and have it then
    query = MeterQuery(tenant=tenant, until_ms=found.period.start_ms)
    if before is not None:
        query = replace(query, entries_after=before.entry_row, meters_after=before.meter_row)
    if closing is not None:
        query = _through(query, closing)
    for each in store.quantities(query):
        yield replace(each, late=month_of(each.day * DAY_MS))


def _accounts(store: Store, found: Books, tenant: str) -> dict[str, Account]:
    """What goes into each invoice of the month."""
    sums: dict[str, list[Quantity]] = {}
    for each in month_quantities(store, found, tenant=tenant):
        if each.tenant:
            sums.setdefault(each.tenant, []).append(each)
    postings = _postings(store, found, tenant)
    balances = _balances(store, found, tenant)
    usable = _availability(store, found, tenant)
    agreed = {each for each in found.rates.tenants() if not tenant or each == tenant}
    names = {*sums, *postings, *balances, *agreed}
    return {
        name: Account(
            tenant=name,
            quantities=tuple(sums.get(name, ())),
            postings=tuple(postings.get(name, ())),
            availability=tuple(usable.get(name, ())),
            balance=balances.get(name, NOTHING),
        )
        for name in names
    }


def _postings(store: Store, found: Books, tenant: str) -> dict[str, list[Posting]]:
    since_ms = found.before.created_ms + 1 if found.before else 0
    until_ms = found.period.created_ms + 1
    by_tenant: dict[str, list[Posting]] = {}
    asked = Query(tenant=tenant, since_ms=since_ms, until_ms=until_ms)
    for each in sorted(every(store, Posting, asked), key=lambda each: (each.created_ms, each.id)):
        by_tenant.setdefault(each.tenant, []).append(each)
    return by_tenant


def _balances(store: Store, found: Books, tenant: str) -> dict[str, Decimal]:
    """What was prepaid and left when the month before was closed."""
    if found.before is None:
        return {}
    asked = Query(tenant=tenant, parent=found.before.id)
    return {each.tenant: each.balance for each in every(store, Invoice, asked) if each.balance}


def _availability(store: Store, found: Books, tenant: str) -> dict[str, list[Availability]]:
    """Of what was reserved in the month, how much could be used."""
    period, closing = found.period, found.closing
    query = MeterQuery(
        tenant=tenant,
        since_ms=period.start_ms,
        until_ms=period.end_ms,
        by=("node",),
        reserved=True,
    )
    if closing is not None:
        query = _through(query, closing)
    total: dict[tuple[str, str], int] = {}
    away: dict[tuple[str, str], dict[str, int]] = {}
    for each in store.quantities(query):
        key = each.tenant, each.reservation
        total[key] = total.get(key, 0) + each.quantity
        if each.use in UNUSABLE:
            nodes = away.setdefault(key, {})
            nodes[each.node] = nodes.get(each.node, 0) + each.quantity
    by_tenant: dict[str, list[Availability]] = {}
    for key in sorted(total):
        unusable = tuple(sorted(away.get(key, {}).items()))
        found_of = Availability(reservation=key[1], total=total[key], unusable=unusable)
        by_tenant.setdefault(key[0], []).append(found_of)
    return by_tenant


def _opens(store: Store) -> Opens:
    return Opens(
        nodes=tuple(every(store, NodeAccount)), storage=tuple(every(store, StorageAccount))
    )


def _pending(opens: Opens, query: MeterQuery, now_ms: int) -> Iterator[Quantity]:
    for account in opens.nodes:
        for entry in settle(account, now_ms=now_ms)[1]:
            if _asked(query, entry.tenant, entry.project, entry.at_ms):
                yield of_entry(entry, query.by)
    for stored in opens.storage:
        for metered in pending(stored, now_ms=now_ms):
            if _asked(query, metered.tenant, metered.project, metered.at_ms):
                yield of_meter(metered, query.by)


def _asked(query: MeterQuery, tenant: str, project: str, at_ms: int) -> bool:
    mine = (not query.tenant or tenant == query.tenant) and (
        not query.project or project == query.project
    )
    return mine and at_ms > query.since_ms and (not query.until_ms or at_ms <= query.until_ms)
