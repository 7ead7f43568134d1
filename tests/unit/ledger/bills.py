"""Quantities, prices and accounts for tests of money."""

from decimal import Decimal
from typing import Any

from gigawatt.ledger.calendar import month_end_ms, month_start_ms
from gigawatt.ledger.charges import Quantity
from gigawatt.ledger.invoice import Account, Period, invoice
from gigawatt.ledger.rates import Rates
from gigawatt.model.bill import Invoice
from gigawatt.model.ledger import DAY_MS, TimeClass
from gigawatt.model.prices import Agreement, Meter, Plan, Price, PriceVersion, Rate, Tier

MONTH = "2026-11"
START_MS = month_start_ms(MONTH)
DAY = START_MS // DAY_MS
HOUR = 3_600_000_000  # of one device, in milli-device milliseconds


def price(amount: str, **what: Any) -> Price:
    told: dict[str, Any] = {"meter": Meter.GPU, "sku": "h100", **what}
    return Price(amount=Decimal(amount), **told)


BOOK = (
    price("3.00"),
    price("2.35", plan=Plan.RESERVED),
    price("1.50", plan=Plan.SPOT),
    price("0.90", plan=Plan.FLEX, rate=Rate.HOLDING),
    price("2.60", plan=Plan.FLEX),
    price("2.00", sku="*"),
    price("0.08", meter=Meter.STORAGE, sku="volume"),
    price("0.60", meter=Meter.PROMPT, sku="*"),
)
TIERS = (
    Tier(below=Decimal(95), credit=Decimal(100)),
    Tier(below=Decimal("99.5"), credit=Decimal(10)),
)


def book(*prices: Price, number: int = 1, from_ms: int = 0) -> PriceVersion:
    return PriceVersion(
        id=f"{number:08d}",
        number=number,
        currency="USD",
        from_ms=from_ms,
        prices=prices or BOOK,
        made_ms=0,
        by="op",
        tiers=TIERS,
    )


def agreed(*, number: int = 1, **terms: Any) -> Agreement:
    told: dict[str, Any] = {"from_ms": 0, "made_ms": 0, "by": "op", **terms}
    return Agreement(id=f"acme/{number}", tenant="acme", number=number, **told)


def used(quantity: int, use: TimeClass = TimeClass.USEFUL, **what: Any) -> Quantity:
    told: dict[str, Any] = {
        "meter": Meter.GPU,
        "sku": "h100",
        "day": DAY,
        "tenant": "acme",
        "project": "nlp",
        "plan": "on-demand",
        "use": use.value,
        **what,
    }
    return Quantity(quantity=quantity, **told)


PERIOD = Period(
    month=MONTH, start_ms=START_MS, end_ms=month_end_ms(MONTH), created_ms=month_end_ms(MONTH) + 5
)


def billed(*quantities: Quantity, rates: Rates | None = None, **account: Any) -> Invoice:
    """The invoice of acme for these."""
    made = Account(tenant="acme", quantities=quantities, **account)
    return invoice(made, rates or Rates([book()], ()), PERIOD)
