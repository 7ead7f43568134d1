"""What the API answers about money, as types. Amounts of money are decimals as text. See `gigawatt.sdk.views`."""

from typing import TypedDict


class PriceView(TypedDict):
    """For one `unit`. `sku` is a kind of GPU or of storage, or a model; * is of those not named."""

    meter: str
    sku: str
    plan: str
    rate: str
    amount: str
    unit: str


class TierView(TypedDict):
    """Below so much availability, so much is given back; percent."""

    below: str
    credit: str


class PriceVersionView(TypedDict):
    """The whole book from `from_ms` on, until a later version begins."""

    number: int
    currency: str
    from_ms: int
    prices: list[PriceView]
    sla: list[TierView]
    note: str
    by: str
    made_ms: int


class UnpricedView(TypedDict):
    """What was used, is charged for, and has no price."""

    meter: str
    sku: str
    plan: str


class PriceCheckView(TypedDict):
    """A book as it would be, and what of the last weeks would have no price."""

    version: PriceVersionView
    unpriced: list[UnpricedView]


class AgreementView(TypedDict):
    """What a tenant pays instead; `until_ms` 0 is without an end, `discount` in percent."""

    tenant: str
    number: int
    from_ms: int
    until_ms: int
    discount: str
    commitment: str
    prices: list[PriceView]
    note: str
    by: str
    made_ms: int


class FactView(TypedDict):
    name: str
    value: str


class LineView(TypedDict):
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
    evidence: list[FactView]


class InvoiceSummaryView(TypedDict):
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


class InvoiceView(TypedDict):
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
    lines: list[LineView]


class ClosingView(TypedDict):
    """A closed month and what its invoices come to."""

    month: str
    number: int
    created_ms: int
    by: str
    invoices: int
    currency: str
    total: str


class VerificationView(TypedDict):
    """Whether the invoices of a closed month come out the same when they are worked out anew."""

    month: str
    invoices: int
    differing: list[str]
    ok: bool


class StatementView(TypedDict):
    """Device time of a month by who answers for it, in `unit`; the four parts sum to `installed`."""

    month: str
    unit: str
    installed: int
    charged: int
    not_charged: int
    idle: int
    ours: int


class PostingView(TypedDict):
    id: str
    tenant: str
    amount: str
    reason: str
    month: str
    prepaid: bool
    by: str
    created_ms: int


class SubjectView(TypedDict):
    name: str
    value: str


class CostView(TypedDict):
    """What one subject used and what that cost, before rounding to coins, credits and commitments."""

    subjects: list[SubjectView]
    gpu_hours: str
    core_hours: str
    gib_months: str
    tokens: int
    cost: str


class CostsView(TypedDict):
    """Sorted by the subjects that it is `by`. `unpriced` is charged for and has no price, so it is not in `cost`."""

    by: list[str]
    since_ms: int
    until_ms: int
    currency: str
    cost: str
    items: list[CostView]
    unpriced: list[UnpricedView]


class BudgetView(TypedDict):
    """Of a month. `amount` null and `tokens` 0 are no limit; `state` is off, open, told, spent or stopped."""

    tenant: str
    project: str
    amount: str | None
    tokens: int
    thresholds: list[int]
    refuses: bool
    stops: bool
    grace_s: int
    state: str
    month: str
    spent: str
    spent_tokens: int
    percent: int
    version: int
