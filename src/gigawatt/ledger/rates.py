"""Which price holds: the price book's versions and the agreements, asked by tenant, thing and day."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from gigawatt.model.ledger import DAY_MS
from gigawatt.model.prices import (
    ANY,
    Agreement,
    Meter,
    Plan,
    Price,
    PriceVersion,
    Rate,
    Tier,
    minor_places,
)

Key = tuple[str, str, str, str]
PERCENT = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """What one unit costs: by the book, and for this tenant."""

    list_price: Decimal
    unit_price: Decimal
    version: int
    agreement: int  # 0 for none


class Rates:
    """All versions and agreements. Asked of the same again it knows the answer."""

    def __init__(self, versions: Iterable[PriceVersion], agreements: Iterable[Agreement]) -> None:
        self._versions = sorted(versions, key=lambda each: each.number, reverse=True)
        self._prices = {
            version.number: {price.key: price.amount for price in version.prices}
            for version in self._versions
        }
        self._agreements: dict[str, list[Agreement]] = {}
        for each in sorted(agreements, key=lambda each: each.number, reverse=True):
            self._agreements.setdefault(each.tenant, []).append(each)
        self._known: dict[tuple[str, Meter, str, Plan, Rate, int], Rated | None] = {}

    def version(self, at_ms: int) -> PriceVersion | None:
        """The price book that holds at a time; None before there was one."""
        return next((each for each in self._versions if each.from_ms <= at_ms), None)

    def agreement(self, tenant: str, at_ms: int) -> Agreement | None:
        """What is agreed with a tenant at a time. One that has ended gives way to none before it."""
        found = next(
            (each for each in self._agreements.get(tenant, ()) if each.from_ms <= at_ms), None
        )
        ended = found is not None and found.until_ms and found.until_ms <= at_ms
        return None if ended else found

    def tenants(self) -> frozenset[str]:
        """Those with whom anything was ever agreed."""
        return frozenset(self._agreements)

    def tiers(self, at_ms: int) -> tuple[Tier, ...]:
        version = self.version(at_ms)
        return version.tiers if version else ()

    def of(self, tenant: str, what: tuple[Meter, str, Plan, Rate], *, day: int) -> Rated | None:
        """The price of a thing for a tenant on a day; None where it has none."""
        asked = (tenant, *what, day)
        if asked not in self._known:
            self._known[asked] = self._look_up(tenant, what, day * DAY_MS)
        return self._known[asked]

    def _look_up(
        self, tenant: str, what: tuple[Meter, str, Plan, Rate], at_ms: int
    ) -> Rated | None:
        version, agreement = self.version(at_ms), self.agreement(tenant, at_ms)
        listed = _found(self._prices[version.number], what) if version else None
        own = _found(_by_key(agreement.prices), what) if agreement else None
        if own is None and listed is None:
            return None
        unit_price = own if own is not None else listed
        assert unit_price is not None
        if own is None and agreement is not None:
            unit_price = unit_price * (PERCENT - agreement.discount) / PERCENT
        return Rated(
            list_price=unit_price if listed is None else listed,
            unit_price=unit_price,
            version=version.number if version else 0,
            agreement=agreement.number if agreement else 0,
        )


def currency_of(rates: Rates, at_ms: int) -> str:
    """The currency of the book at a time; empty where there is none."""
    version = rates.version(at_ms)
    return version.currency if version else ""


def priced(quantity: int, unit_price: Decimal, per: int) -> Fraction:
    """What a quantity costs, exactly."""
    return Fraction(quantity) * Fraction(unit_price) / per


def rounded(amount: Fraction, currency: str) -> Decimal:
    """To the smallest coin; a half goes away from zero. The one place in which money is rounded."""
    places = minor_places(currency)
    scaled = abs(amount) * 10**places
    coins = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Decimal(-coins if amount < 0 else coins).scaleb(-places)


def _found(prices: dict[Key, Decimal], what: tuple[Meter, str, Plan, Rate]) -> Decimal | None:
    """The thing's own price, else that of any such thing; by its plan, else on demand."""
    meter, sku, plan, rate = what
    for asked in ((plan, rate), (Plan.ON_DEMAND, Rate.USAGE)):
        for name in (sku, ANY):
            found = prices.get((meter.value, name, asked[0].value, asked[1].value))
            if found is not None:
                return found
    return None


def _by_key(prices: tuple[Price, ...]) -> dict[Key, Decimal]:
    return {price.key: price.amount for price in prices}
