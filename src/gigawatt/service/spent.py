"""What was spent in a month by now, by tenant and project: what budgets are held against. Blocks."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from gigawatt.ledger.calendar import month_of, month_start_ms
from gigawatt.ledger.charges import Quantity
from gigawatt.ledger.invoice import exact_cost
from gigawatt.ledger.rates import Rates, currency_of, rounded
from gigawatt.model.budget import Budget
from gigawatt.model.observation import BudgetsSeen
from gigawatt.model.prices import TOKEN_METERS
from gigawatt.service.billing import every, quantities, read_rates
from gigawatt.store.base import MeterQuery, Query, Store

Spent = tuple[Fraction, int]  # money and tokens


def spent_of_budgets(store: Store, *, at_ms: int) -> BudgetsSeen | None:
    """For every budget; None where there are none."""
    budgets = list(every(store, Budget, Query(live_only=True)))
    if not budgets:
        return None
    rates, month = read_rates(store), month_of(at_ms)
    query = MeterQuery(since_ms=month_start_ms(month))
    sums = _sums(quantities(store, query, now_ms=at_ms), rates)
    currency = currency_of(rates, at_ms)
    told = (_told(each.id, sums, currency) for each in sorted(budgets, key=lambda each: each.id))
    return BudgetsSeen(at_ms=at_ms, month=month, spent=tuple(told))


def spent_by(store: Store, tenant: str, project: str, *, at_ms: int) -> tuple[Decimal, int]:
    """Of one tenant, or one of its projects: money and tokens of this month."""
    rates, month = read_rates(store), month_of(at_ms)
    query = MeterQuery(tenant=tenant, project=project, since_ms=month_start_ms(month))
    sums = _sums(quantities(store, query, now_ms=at_ms), rates)
    name = f"{tenant}/{project}" if project else tenant
    _, money, tokens = _told(name, sums, currency_of(rates, at_ms))
    return money, tokens


def _told(name: str, sums: dict[str, Spent], currency: str) -> tuple[str, Decimal, int]:
    money, tokens = sums.get(name, (Fraction(0), 0))
    return name, rounded(money, currency), tokens


def _sums(used: Iterable[Quantity], rates: Rates) -> dict[str, Spent]:
    """By tenant, and by tenant/project."""
    sums: dict[str, Spent] = {}
    for each in used:
        if not each.tenant:
            continue
        cost = exact_cost(each, rates)
        more = each.quantity if each.meter in TOKEN_METERS else 0
        for name in (each.tenant, f"{each.tenant}/{each.project}"):
            money, tokens = sums.get(name, (Fraction(0), 0))
            sums[name] = money + cost, tokens + more
    return sums
