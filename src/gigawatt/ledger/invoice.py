"""Invoices from quantities and prices: lines that are rounded once each, credits, and what is left to pay.

Everything comes in as values, and the same values give the same invoice to the last byte.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from gigawatt.ledger.charges import Quantity, plan_of, rate_of
from gigawatt.ledger.credits import Availability, sla_credits
from gigawatt.ledger.rates import Rated, Rates, currency_of, owed, priced, rounded
from gigawatt.model.bill import NOTHING, Invoice, Line, LineKind, Posting
from gigawatt.model.prices import PER, Meter

CURRENCY_UNKNOWN = "XXX"  # ISO 4217: no currency is involved
CREDITS = frozenset({LineKind.SLA_CREDIT, LineKind.ADJUSTMENT})

What = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The month of an invoice, and when it was closed; of a draft, now."""

    month: str
    start_ms: int
    end_ms: int
    created_ms: int

    def holds(self, at_ms: int) -> bool:
        """Whether time that ended then is of this month."""
        return self.start_ms < at_ms <= self.end_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What of one tenant goes into its invoice. `balance` is what was prepaid and left by the invoice before."""

    tenant: str
    quantities: tuple[Quantity, ...] = ()
    postings: tuple[Posting, ...] = ()
    availability: tuple[Availability, ...] = ()
    balance: Decimal = NOTHING


# The names that a line is told apart by, in the order in which lines are sorted: month, project, meter, kind, plan, rate, use,
# reservation.
Names = tuple[str, str, str, str, str, str, str, str]


@dataclass(slots=True, kw_only=True)
class _Sums:
    """Quantities by what makes a line; what has no price is told."""

    quantities: dict[tuple[Names, Rated | None], int]
    unpriced: dict[What, int] = field(default_factory=dict[What, int])


def invoice(account: Account, rates: Rates, period: Period) -> Invoice:
    """What a tenant owes for a month."""
    currency = currency_of(rates, period.end_ms - 1) or CURRENCY_UNKNOWN
    usage = usage_lines(account.quantities, rates, currency)
    zero = rounded(Fraction(0), currency)
    charged = sum((line.amount for line in usage), zero)
    short = _commitment(account.tenant, rates, period, charged)
    tiers = rates.tiers(period.end_ms - 1)
    credited = sla_credits(account.availability, usage, tiers, currency)
    posted = [_posted(each) for each in account.postings if not each.prepaid]
    lines = (*usage, *short, *credited, *posted)
    charges = sum((line.amount for line in lines if line.kind not in CREDITS), zero)
    given = sum((line.amount for line in lines if line.kind in CREDITS), zero)
    balance = account.balance + sum(
        (each.amount for each in account.postings if each.prepaid), zero
    )
    due = charges + given
    paid = min(balance, due) if due > 0 else due  # what is given back beyond this month is kept
    if paid > 0:
        lines += (Line(kind=LineKind.PREPAID, amount=-paid, detail="from the prepaid balance"),)
    return Invoice(
        id=f"{period.month}/{account.tenant}",
        tenant=account.tenant,
        month=period.month,
        created_ms=period.created_ms,
        currency=currency,
        lines=lines,
        charges=charges,
        credits=given,
        total=due - paid,
        balance=balance - paid,
    )


def usage_lines(quantities: Iterable[Quantity], rates: Rates, currency: str) -> tuple[Line, ...]:
    """One for each thing at each price, sorted; what is ours is there without a price."""
    found = _summed(quantities, rates).quantities
    ordered = sorted(found, key=lambda each: (each[0], _place(each[1])))
    return tuple(
        _line(names, rated, found[names, rated], currency)
        for names, rated in ordered
        if found[names, rated]
    )


def exact_cost(quantity: Quantity, rates: Rates) -> Fraction:
    """What a quantity costs before it is rounded, for sums that are no invoice; without a price nothing."""
    rate = rate_of(quantity)
    if rate is None:
        return Fraction(0)
    what = (quantity.meter, quantity.sku, plan_of(quantity), rate)
    found = rates.of(quantity.tenant, what, day=quantity.day)
    if found is None:
        return Fraction(0)
    return priced(quantity.quantity, found.unit_price, PER[quantity.meter])


def unpriced(quantities: Iterable[Quantity], rates: Rates) -> Mapping[What, int]:
    """What is charged and has no price, by meter, kind and plan."""
    return _summed(quantities, rates).unpriced


def _summed(quantities: Iterable[Quantity], rates: Rates) -> _Sums:
    sums = _Sums(quantities={})
    found = sums.quantities
    for each in quantities:
        rate, plan = rate_of(each), plan_of(each)
        rated = None
        if rate is not None:
            what = each.meter, each.sku, plan, rate
            rated = rates.of(each.tenant, what, day=each.day)
            if rated is None:
                key = (each.meter.value, each.sku, plan.value)
                sums.unpriced[key] = sums.unpriced.get(key, 0) + each.quantity
        device = bool(each.use)
        names = (
            each.late,
            each.project,
            each.meter.value,
            each.sku,
            plan.value if device else "",
            rate.value if rate and device else "",
            each.use,
            each.reservation,
        )
        line = names, rated
        found[line] = found.get(line, 0) + each.quantity
    return sums


def _place(rated: Rated | None) -> tuple[int, int, Decimal]:
    """The order of prices of one thing."""
    return (rated.version, rated.agreement, rated.unit_price) if rated else (0, 0, NOTHING)


def _line(names: Names, rated: Rated | None, quantity: int, currency: str) -> Line:
    month, project, meter, sku, plan, rate, use, reservation = names
    price = rated.unit_price if rated else NOTHING
    ours = bool(use) and not rate
    return Line(
        kind=LineKind.OURS if ours else LineKind.USAGE,
        amount=owed(quantity, price, PER[Meter(meter)], currency),
        month=month,
        project=project,
        meter=meter,
        sku=sku,
        plan=plan,
        rate=rate,
        use=use,
        reservation=reservation,
        quantity=quantity,
        unit_price=price,
        list_price=rated.list_price if rated else NOTHING,
        version=rated.version if rated else 0,
        agreement=rated.agreement if rated else 0,
    )


def _commitment(tenant: str, rates: Rates, period: Period, charged: Decimal) -> tuple[Line, ...]:
    """What is missing to the least that is agreed, by the agreement that held when the month ended."""
    agreement = rates.agreement(tenant, period.end_ms - 1)
    if agreement is None or not agreement.commitment or agreement.commitment <= charged:
        return ()
    return (
        Line(
            kind=LineKind.COMMITMENT,
            amount=agreement.commitment - charged,
            agreement=agreement.number,
            detail=f"to the commitment of {agreement.commitment} a month",
        ),
    )


def _posted(posting: Posting) -> Line:
    return Line(
        kind=LineKind.ADJUSTMENT,
        amount=posting.amount,
        month=posting.month,
        detail=posting.reason,
        evidence=(("posting", posting.id), ("by", posting.by)),
    )
