"""Lines, rounding, plans, agreements, credits, balances: as whole values."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from gigawatt.ledger.calendar import (
    day_of,
    month_after,
    month_before,
    month_end_ms,
    month_of,
    month_start_ms,
)
from gigawatt.ledger.charges import CHARGED, conserved
from gigawatt.ledger.credits import Availability
from gigawatt.ledger.invoice import unpriced
from gigawatt.ledger.rates import Rates, rounded
from gigawatt.ledger.wording import digest_of, invoice_text
from gigawatt.model.bill import Line, LineKind, Posting
from gigawatt.model.ledger import DAY_MS, TimeClass
from gigawatt.model.prices import Meter, Plan
from tests.unit.ledger.bills import DAY, HOUR, MONTH, START_MS, agreed, billed, book, price, used


def amounts(lines: tuple[Line, ...]) -> dict[str, Decimal]:
    return {f"{line.plan} {line.use} {line.rate}".strip(): line.amount for line in lines}


def test_every_class_of_time_is_in_the_table_of_charges() -> None:
    assert set(CHARGED) == set(TimeClass)


def test_what_the_infrastructure_lost_is_on_the_invoice_and_costs_nothing() -> None:
    found = billed(used(2 * HOUR), used(HOUR, TimeClass.REDONE), used(HOUR, TimeClass.USER_FAULT))
    assert {(line.use, line.kind, line.amount) for line in found.lines} == {
        ("useful", LineKind.USAGE, Decimal("6.00")),
        ("user_fault", LineKind.USAGE, Decimal("3.00")),
        ("redone", LineKind.OURS, Decimal("0.00")),
    }
    assert found.total == Decimal("9.00")


def test_each_plan_has_its_price_and_flex_has_one_more_while_it_is_held() -> None:
    idle = TimeClass.RESERVED_IDLE
    found = billed(
        used(HOUR),
        used(HOUR, plan="spot"),
        used(HOUR, plan="reserved", reservation="r"),
        used(HOUR, idle, plan="reserved", reservation="r"),
        used(HOUR, plan="flex", reservation="f"),
        used(HOUR, idle, plan="flex", reservation="f"),
    )
    assert amounts(found.lines) == {
        "on-demand useful usage": Decimal("3.00"),
        "spot useful usage": Decimal("1.50"),
        "reserved useful usage": Decimal("2.35"),
        "reserved reserved_idle usage": Decimal("2.35"),
        "flex useful usage": Decimal("2.60"),
        "flex reserved_idle holding": Decimal("0.90"),
    }


def test_a_kind_without_a_price_of_its_own_has_that_of_any_and_a_plan_that_on_demand() -> None:
    found = billed(used(HOUR, sku="b200"), used(HOUR, sku="b200", plan="spot"))
    assert [line.amount for line in found.lines] == [Decimal("2.00"), Decimal("2.00")]


def test_what_has_no_price_is_told() -> None:
    rates = Rates([book(price("1", sku="h100"))], ())
    lacking = used(HOUR, sku="b200"), used(HOUR, TimeClass.REDONE, sku="b300")
    assert dict(unpriced(lacking, rates)) == {("gpu", "b200", "on-demand"): HOUR}


@pytest.mark.parametrize(
    ("unit_ms", "amount"),
    [(6_000_000, "0.01"), (5_999_999, "0.00"), (18_000_000, "0.02"), (-6_000_000, "-0.01")],
)
def test_a_line_is_rounded_once_and_a_half_goes_away_from_zero(unit_ms: int, amount: str) -> None:
    (line,) = billed(used(unit_ms)).lines
    assert line.amount == Decimal(amount)


def test_currencies_without_coins_and_with_thousandths_are_rounded_as_they_are_paid() -> None:
    half = Fraction(5, 2)
    assert [rounded(half, each) for each in ("JPY", "KWD")] == [Decimal(3), Decimal("2.500")]


def test_a_version_holds_from_its_day_on_and_what_was_before_keeps_its_price() -> None:
    later = book(price("4.00"), number=2, from_ms=START_MS + 10 * DAY_MS)
    rates = Rates([book(), later], ())
    found = billed(used(HOUR), used(HOUR, day=DAY + 9), used(HOUR, day=DAY + 10), rates=rates)
    assert [(line.version, line.amount) for line in found.lines] == [
        (1, Decimal("6.00")),
        (2, Decimal("4.00")),
    ]


def test_an_agreement_is_a_discount_prices_and_a_least_amount_and_ends() -> None:
    terms: dict[str, Any] = {
        "discount": Decimal("12.5"),
        "prices": (price("1.00", plan=Plan.SPOT),),
        "commitment": Decimal(100),
    }
    found = billed(used(HOUR), used(HOUR, plan="spot"), rates=Rates([book()], [agreed(**terms)]))
    assert [line.amount for line in found.lines] == [
        Decimal("2.63"),
        Decimal("1.00"),
        Decimal("96.37"),
    ]
    assert found.total == Decimal(100)
    over = agreed(until_ms=START_MS, **terms)
    assert billed(used(HOUR), rates=Rates([book()], [over])).total == Decimal("3.00")


def test_a_breach_of_availability_is_credited_by_its_tier_with_the_nodes_as_evidence() -> None:
    away = Availability(
        reservation="r", total=100 * HOUR, unusable=(("n1", HOUR), ("n2", 2 * HOUR))
    )
    found = billed(
        used(97 * HOUR, plan="reserved", reservation="r"),
        used(3 * HOUR, TimeClass.DOWN, plan="reserved", reservation="r"),
        availability=(away,),
    )
    credit = found.lines[-1]
    assert (credit.kind, credit.amount) == (LineKind.SLA_CREDIT, Decimal("-22.80"))
    assert credit.evidence == (("n2", str(2 * HOUR)), ("n1", str(HOUR)))
    assert found.total == Decimal("227.95") - Decimal("22.80")


def test_availability_at_the_tier_is_no_breach() -> None:
    kept = Availability(reservation="r", total=1_000, unusable=(("n1", 5),))
    found = billed(used(HOUR, plan="reserved", reservation="r"), availability=(kept,))
    assert kept.percent == Decimal("99.5")
    assert [line.kind for line in found.lines] == [LineKind.USAGE]


def posting(amount: str, *, prepaid: bool = False) -> Posting:
    return Posting(
        id="p",
        tenant="acme",
        created_ms=1,
        amount=Decimal(amount),
        reason="so",
        by="op",
        prepaid=prepaid,
    )


def test_what_was_prepaid_pays_first_and_what_is_given_back_beyond_the_month_is_kept() -> None:
    found = billed(used(HOUR), postings=(posting("2.00", prepaid=True),), balance=Decimal("0.50"))
    assert (found.charges, found.total, found.balance) == (Decimal("3.00"), Decimal("0.50"), 0)
    back = billed(used(HOUR), postings=(posting("-10.00"),))
    assert (back.credits, back.total, back.balance) == (Decimal("-10.00"), 0, Decimal("7.00"))


def test_late_corrections_are_lines_of_their_own_that_name_their_month() -> None:
    late = (
        used(-HOUR, day=DAY - 1, late="2026-10"),
        used(HOUR, TimeClass.REDONE, day=DAY - 1, late="2026-10"),
    )
    found = billed(used(2 * HOUR), *late)
    assert [(line.month, line.use, line.amount) for line in found.lines] == [
        ("", "useful", Decimal("6.00")),
        ("2026-10", "redone", Decimal("0.00")),
        ("2026-10", "useful", Decimal("-3.00")),
    ]


def test_the_order_of_quantities_does_not_change_a_byte() -> None:
    parts = [used(HOUR + n, plan=plan) for n in range(5) for plan in ("spot", "on-demand")]
    texts = {invoice_text(billed(*parts)), invoice_text(billed(*reversed(parts)))}
    assert len(texts) == 1
    assert digest_of(texts.pop()).startswith("sha256:")


def test_device_time_is_somebodys_to_the_last_unit() -> None:
    parts = (used(5), used(3, TimeClass.REDONE), used(7, TimeClass.IDLE, tenant="", plan=""))
    found = conserved((*parts, used(2, TimeClass.DOWN, tenant="", plan="")), Meter.GPU)
    assert (found.charged, found.not_charged, found.idle, found.ours) == (5, 3, 7, 2)
    assert found.installed == 17


def test_months_and_days_are_those_of_utc() -> None:
    assert [month_of(START_MS), month_before(START_MS), month_of(START_MS - 1)] == [
        MONTH,
        "2026-10",
        "2026-10",
    ]
    assert (
        month_end_ms("2026-12")
        == month_start_ms("2027-01")
        == month_start_ms(month_after("2026-12"))
    )
    assert [day_of(0), day_of(951_782_400_000)] == ["1970-01-01", "2000-02-29"]


def test_without_a_commitment_a_month_of_corrections_alone_gives_back_all_of_them() -> None:
    rates = Rates([book()], [agreed(discount=Decimal(0))])
    found = billed(used(-HOUR, day=DAY - 1, late="2026-10"), rates=rates)
    assert [(line.kind, line.amount) for line in found.lines] == [
        (LineKind.USAGE, Decimal("-3.00"))
    ]
    assert found.balance == Decimal("3.00")
