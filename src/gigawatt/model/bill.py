"""Invoices: what a tenant owes for a month, line by line, and what closes a month for good."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

NOTHING = Decimal(0)


class LineKind(StrEnum):
    USAGE = "usage"
    OURS = "ours"  # used, and not charged: what it was lost to is ours
    COMMITMENT = "commitment"  # what is missing to the least that was agreed
    SLA_CREDIT = "sla_credit"
    ADJUSTMENT = "adjustment"
    PREPAID = "prepaid"  # paid from the tenant's balance


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`quantity` in the meter's base units; `amount` is rounded, once, to the currency's smallest coin."""

    kind: LineKind
    amount: Decimal
    month: str = ""  # of which it speaks, where that is an earlier one
    project: str = ""
    meter: str = ""
    sku: str = ""
    plan: str = ""
    rate: str = ""
    use: str = ""  # the class of time, or what the tokens were
    reservation: str = ""
    quantity: int = 0
    unit_price: Decimal = NOTHING  # charged
    list_price: Decimal = NOTHING  # of the book
    version: int = 0  # of the price book
    agreement: int = 0
    detail: str = ""
    evidence: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """`digest` is of its text, which is what is sent."""

    id: str  # month/tenant
    tenant: str
    month: str  # 2026-11
    created_ms: int  # when the month was closed; now for a draft
    currency: str
    lines: tuple[Line, ...]
    charges: Decimal
    credits: Decimal
    total: Decimal  # what is to be paid
    balance: Decimal  # prepaid and left
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """A month that is closed: its invoices take in the ledger up to these rows, and nothing that comes later."""

    id: str  # the month
    number: int
    created_ms: int
    start_ms: int
    end_ms: int
    entry_row: int
    meter_row: int
    by: str
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """Money put on a tenant's next invoice: `prepaid` fills its balance, else it is an adjustment (negative: a credit)."""

    id: str
    tenant: str
    created_ms: int
    amount: Decimal
    reason: str
    by: str
    month: str = ""  # of which it speaks
    prepaid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterEntry:
    """So much more of what is not device time: storage and tokens. `at_ms` as in `LedgerEntry`."""

    at_ms: int
    meter: str  # `prices.Meter`
    quantity: int
    tenant: str
    project: str
    subject: str  # the volume or the endpoint
    sku: str
    key: str = ""  # of tokens: whose
