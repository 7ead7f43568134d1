"""What callers ask of money: prices, agreements, postings, closing a month, and budgets."""

from dataclasses import dataclass

from gigawatt.model.bill import Closing, Invoice, Posting
from gigawatt.model.budget import Budget
from gigawatt.model.prices import Agreement, PriceVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPrices:
    """The next version of the price book; its number is given by the leader. `newest` is the last that the caller saw."""

    version: PriceVersion
    newest: PriceVersion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agree:
    agreement: Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    posting: Posting


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleMonth:
    """Account for all time up to now, so that a month that is over is whole on record. Answers with its closing to be."""

    month: str
    start_ms: int
    end_ms: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseMonth:
    closing: Closing


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepInvoice:
    """Of a month that is closed; kept once."""

    invoice: Invoice


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBudget:
    """As it is to be; what was spent is kept."""

    budget: Budget
    by: str
    if_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveBudget:
    id: str
    by: str
    if_version: int = 0


OfMoney = (
    SetPrices | Agree | Post | SettleMonth | CloseMonth | KeepInvoice | SetBudget | RemoveBudget
)
