"""Prices, invoices, costs and budgets as callers see them. Amounts of money are decimals as text."""

from dataclasses import asdict, dataclass
from decimal import Decimal

from gigawatt.ledger.wording import units_of, what_of
from gigawatt.model.bill import Closing, Invoice, Line, Posting
from gigawatt.model.budget import Budget
from gigawatt.model.prices import UNITS, Agreement, Meter, Price, PriceVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceView:
    """For one `unit`. `sku` is a kind of GPU or of storage, or a model; * is of those not named."""

    meter: str
    sku: str
    plan: str
    rate: str
    amount: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TierView:
    """Below so much availability, so much is given back; percent."""

    below: str
    credit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceVersionView:
    """The whole book from `from_ms` on, until a later version begins."""

    number: int
    currency: str
    from_ms: int
    prices: tuple[PriceView, ...]
    sla: tuple[TierView, ...]
    note: str
    by: str
    made_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpricedView:
    """What was used, is charged for, and has no price."""

    meter: str
    sku: str
    plan: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceCheckView:
    """A book as it would be, and what of the last weeks would have no price."""

    version: PriceVersionView
    unpriced: tuple[UnpricedView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementView:
    """What a tenant pays instead; `until_ms` 0 is without an end, `discount` in percent."""

    tenant: str
    number: int
    from_ms: int
    until_ms: int
    discount: str
    commitment: str
    prices: tuple[PriceView, ...]
    note: str
    by: str
    made_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FactView:
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """`quantity` is exact, in milli-device or mebibyte milliseconds or tokens; `units` is the same in `unit`, rounded."""

    kind: str
    what: str
    month: str
    project: str
    meter: str
    sku: str
    plan: str
    rate: str
    use: str
    reservation: str
    quantity: int
    units: str
    unit: str
    unit_price: str
    list_price: str
    version: int
    agreement: int
    amount: str
    evidence: tuple[FactView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceSummaryView:
    """`status` is closed, or draft while the month is open. `total` is to be paid, `balance` is prepaid and left."""

    id: str
    tenant: str
    month: str
    status: str
    currency: str
    charges: str
    credits: str
    total: str
    balance: str
    digest: str
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceView:
    id: str
    tenant: str
    month: str
    status: str
    currency: str
    charges: str
    credits: str
    total: str
    balance: str
    digest: str
    created_ms: int
    lines: tuple[LineView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingView:
    """A closed month and what its invoices come to."""

    month: str
    number: int
    created_ms: int
    by: str
    invoices: int
    currency: str
    total: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationView:
    """Whether the invoices of a closed month come out the same when they are worked out anew."""

    month: str
    invoices: int
    differing: tuple[str, ...]
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementView:
    """Device time of a month by who answers for it, in `unit`; the four parts sum to `installed`."""

    month: str
    unit: str
    installed: int
    charged: int
    not_charged: int
    idle: int
    ours: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingView:
    id: str
    tenant: str
    amount: str
    reason: str
    month: str
    prepaid: bool
    by: str
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectView:
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CostView:
    """What one subject used and what that cost, before rounding to coins, credits and commitments."""

    subjects: tuple[SubjectView, ...]
    gpu_hours: str
    core_hours: str
    gib_months: str
    tokens: int
    cost: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CostsView:
    """Sorted by the subjects that it is `by`. `unpriced` is charged for and has no price, so it is not in `cost`."""

    by: tuple[str, ...]
    since_ms: int
    until_ms: int
    currency: str
    cost: str
    items: tuple[CostView, ...]
    unpriced: tuple[UnpricedView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetView:
    """Of a month. `amount` null and `tokens` 0 are no limit; `state` is off, open, told, spent or stopped."""

    tenant: str
    project: str
    amount: str | None
    tokens: int
    thresholds: tuple[int, ...]
    refuses: bool
    stops: bool
    grace_s: int
    state: str
    month: str
    spent: str
    spent_tokens: int
    percent: int
    version: int


def price_view(price: Price) -> PriceView:
    return PriceView(
        meter=price.meter.value,
        sku=price.sku,
        plan=price.plan.value,
        rate=price.rate.value,
        amount=plain(price.amount),
        unit=UNITS[price.meter],
    )


def version_view(version: PriceVersion) -> PriceVersionView:
    return PriceVersionView(
        number=version.number,
        currency=version.currency,
        from_ms=version.from_ms,
        prices=tuple(price_view(each) for each in version.prices),
        sla=tuple(
            TierView(below=plain(tier.below), credit=plain(tier.credit)) for tier in version.tiers
        ),
        note=version.note,
        by=version.by,
        made_ms=version.made_ms,
    )


def agreement_view(agreement: Agreement) -> AgreementView:
    return AgreementView(
        tenant=agreement.tenant,
        number=agreement.number,
        from_ms=agreement.from_ms,
        until_ms=agreement.until_ms,
        discount=plain(agreement.discount),
        commitment=plain(agreement.commitment),
        prices=tuple(price_view(each) for each in agreement.prices),
        note=agreement.note,
        by=agreement.by,
        made_ms=agreement.made_ms,
    )


def line_view(line: Line) -> LineView:
    return LineView(
        kind=line.kind.value,
        what=what_of(line),
        month=line.month,
        project=line.project,
        meter=line.meter,
        sku=line.sku,
        plan=line.plan,
        rate=line.rate,
        use=line.use,
        reservation=line.reservation,
        quantity=line.quantity,
        units=plain(units_of(line)) if line.meter else "",
        unit=UNITS[Meter(line.meter)] if line.meter else "",
        unit_price=plain(line.unit_price),
        list_price=plain(line.list_price),
        version=line.version,
        agreement=line.agreement,
        amount=plain(line.amount),
        evidence=tuple(FactView(name=name, value=value) for name, value in line.evidence),
    )


def summary_view(invoice: Invoice, *, status: str) -> InvoiceSummaryView:
    return InvoiceSummaryView(
        id=invoice.id,
        tenant=invoice.tenant,
        month=invoice.month,
        status=status,
        currency=invoice.currency,
        charges=plain(invoice.charges),
        credits=plain(invoice.credits),
        total=plain(invoice.total),
        balance=plain(invoice.balance),
        digest=invoice.digest,
        created_ms=invoice.created_ms,
    )


def invoice_view(invoice: Invoice, *, status: str) -> InvoiceView:
    summary = summary_view(invoice, status=status)
    return InvoiceView(**asdict(summary), lines=tuple(line_view(line) for line in invoice.lines))


def closing_view(closing: Closing, invoices: tuple[Invoice, ...]) -> ClosingView:
    return ClosingView(
        month=closing.id,
        number=closing.number,
        created_ms=closing.created_ms,
        by=closing.by,
        invoices=len(invoices),
        currency=invoices[0].currency if invoices else "",
        total=plain(sum((each.total for each in invoices), Decimal(0))),
    )


def posting_view(posting: Posting) -> PostingView:
    return PostingView(
        id=posting.id,
        tenant=posting.tenant,
        amount=plain(posting.amount),
        reason=posting.reason,
        month=posting.month,
        prepaid=posting.prepaid,
        by=posting.by,
        created_ms=posting.created_ms,
    )


def budget_view(budget: Budget) -> BudgetView:
    return BudgetView(
        tenant=budget.tenant,
        project=budget.project,
        amount=None if budget.amount is None else plain(budget.amount),
        tokens=budget.tokens,
        thresholds=budget.thresholds,
        refuses=budget.refuses,
        stops=budget.stops,
        grace_s=budget.grace_ms // 1_000,
        state=_state(budget),
        month=budget.month,
        spent=plain(budget.spent),
        spent_tokens=budget.spent_tokens,
        percent=budget.percent,
        version=budget.version,
    )


def plain(amount: Decimal) -> str:
    """As digits, never with an exponent."""
    return format(amount, "f")


def _state(budget: Budget) -> str:
    if budget.off:
        return "off"
    if budget.exhausted:
        return "stopped" if budget.stopped else "spent"
    return "told" if budget.told else "open"
