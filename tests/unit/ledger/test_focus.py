"""The rows of an export against what FOCUS 1.4 asks of its columns."""

from decimal import Decimal

from gigawatt.ledger.focus import COLUMNS, METRICS, focus_rows
from gigawatt.model.bill import LineKind
from gigawatt.model.ledger import TimeClass
from tests.unit.ledger.bills import HOUR, billed, used

# Of the Cost and Usage dataset of FOCUS 1.4: mandatory, and of these those that must not be null.
MANDATORY = frozenset(
    {
        "BilledCost",
        "BillingAccountId",
        "BillingAccountName",
        "BillingCurrency",
        "BillingPeriodEnd",
        "BillingPeriodStart",
        "ChargeCategory",
        "ChargeClass",
        "ChargeDescription",
        "ChargePeriodEnd",
        "ChargePeriodStart",
        "ContractedCost",
        "EffectiveCost",
        "HostProviderName",
        "InvoiceIssuerName",
        "ListCost",
        "PricingQuantity",
        "PricingUnit",
        "ServiceCategory",
        "ServiceName",
        "ServiceProviderName",
    }
)
NEVER_NULL = MANDATORY - {
    "BillingAccountName",
    "ChargeClass",
    "ChargeDescription",
    "PricingQuantity",
    "PricingUnit",
}
CATEGORIES = frozenset({"Usage", "Purchase", "Tax", "Credit", "Adjustment"})


def test_every_mandatory_column_is_there_and_our_own_come_last() -> None:
    assert set(COLUMNS) >= MANDATORY
    own = [name for name in COLUMNS if name.startswith("x_")]
    assert list(COLUMNS) == sorted(set(COLUMNS) - set(own)) + own


def test_rows_have_every_column_and_nothing_is_null_that_must_not_be() -> None:
    late = used(-HOUR, late="2026-10")
    held = used(HOUR, TimeClass.RESERVED_IDLE, plan="reserved", reservation="r")
    found = billed(used(HOUR), late, held, used(HOUR, TimeClass.REDONE), balance=Decimal(1))
    rows = list(focus_rows(found, issuer="us"))
    assert len(rows) == len(found.lines) - 1 == 4  # what pays for them is no charge
    for row in rows:
        assert tuple(row) == COLUMNS
        assert [name for name in NEVER_NULL if row[name] is None] == []
        assert row["ChargeCategory"] in CATEGORIES
        assert all(isinstance(row[name], Decimal | None) for name in METRICS)
    corrected = [row for row in rows if row["ChargeClass"] == "Correction"]
    assert [row["ChargePeriodEnd"] for row in corrected] == ["2026-11-01T00:00:00Z"]
    unused = [row for row in rows if row["CapacityReservationStatus"] == "Unused"]
    assert [row["CapacityReservationId"] for row in unused] == ["r"]


def test_billed_costs_sum_to_what_is_owed_before_it_is_paid() -> None:
    found = billed(used(HOUR + 7), used(HOUR, plan="spot"), balance=Decimal(2))
    costs = [row["BilledCost"] for row in focus_rows(found, issuer="us")]
    paid = [line.amount for line in found.lines if line.kind is LineKind.PREPAID]
    assert sum(cost for cost in costs if isinstance(cost, Decimal)) == found.total - sum(paid)


def test_the_price_times_the_quantity_is_the_list_cost() -> None:
    (row,) = focus_rows(billed(used(90 * HOUR // 60)), issuer="us")
    assert (row["PricingQuantity"], row["ListUnitPrice"], row["ListCost"]) == (
        Decimal("1.5"),
        Decimal("3.00"),
        Decimal("4.50"),
    )
