"""Invoices as rows of FOCUS, the FinOps Open Cost and Usage Specification, version 1.4 (4 June 2026).

One row for each line of an invoice. All of its mandatory columns are there, and those of its conditional ones whose
condition holds here: capacity reservations, usage measurement, negotiated and list prices, payable invoices, several
pricing categories, unit pricing, and projects as sub accounts. Columns of our own begin with `x_`, after all others.
https://focus.finops.org/focus-specification/
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from gigawatt.ledger.calendar import day_of, month_end_ms, month_start_ms
from gigawatt.ledger.wording import what_of
from gigawatt.model.bill import Invoice, Line, LineKind
from gigawatt.model.ledger import TimeClass
from gigawatt.model.prices import PER, UNITS, Meter, Plan

PLACES = 12
COLUMNS = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "CapacityReservationId",
    "CapacityReservationStatus",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "HostProviderName",
    "InvoiceDetailId",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ServiceCategory",
    "ServiceName",
    "ServiceProviderName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "x_UsageClass",
)
METRICS = frozenset(
    {
        "BilledCost",
        "ConsumedQuantity",
        "ContractedCost",
        "ContractedUnitPrice",
        "EffectiveCost",
        "ListCost",
        "ListUnitPrice",
        "PricingQuantity",
    }
)
TIMES = frozenset(
    {"BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart"}
)

Row = Mapping[str, str | Decimal | None]

_CATEGORY = {
    LineKind.USAGE: "Usage",
    LineKind.OURS: "Usage",
    LineKind.COMMITMENT: "Purchase",
    LineKind.SLA_CREDIT: "Credit",
    LineKind.ADJUSTMENT: "Adjustment",
}
_SERVICES = {
    Meter.GPU: ("Compute", "GPU time", "Virtual Machines"),
    Meter.CPU: ("Compute", "CPU time", "Virtual Machines"),
    Meter.STORAGE: ("Storage", "Storage", "Object Storage"),
}
_MODELS = ("AI and Machine Learning", "Model serving", "Generative AI")
_PRICING = {Plan.RESERVED: "Committed", Plan.FLEX: "Committed", Plan.SPOT: "Dynamic"}


def focus_rows(invoice: Invoice, *, issuer: str) -> Iterator[Row]:
    """A row for each line that is a charge; what pays for them is none."""
    for number, line in enumerate(invoice.lines, start=1):
        if line.kind is not LineKind.PREPAID:
            yield _row(invoice, line, number, issuer)


def _row(invoice: Invoice, line: Line, number: int, issuer: str) -> Row:
    found: dict[str, str | Decimal | None] = dict.fromkeys(COLUMNS)
    month = line.month or invoice.month
    category, name, subcategory = _service(line)
    found.update(
        BilledCost=line.amount,
        BillingAccountId=invoice.tenant,
        BillingAccountName=invoice.tenant,
        BillingCurrency=invoice.currency,
        BillingPeriodStart=_start(invoice.month),
        BillingPeriodEnd=_end(invoice.month),
        ChargeCategory=_CATEGORY[line.kind],
        ChargeClass="Correction" if line.month else None,
        ChargeDescription=what_of(line),
        ChargeFrequency="Usage-Based" if line.meter else "One-Time",
        ChargePeriodStart=_start(month),
        ChargePeriodEnd=_end(month),
        ContractedCost=line.amount,
        EffectiveCost=line.amount,
        ListCost=line.amount,
        HostProviderName=issuer,
        ServiceProviderName=issuer,
        InvoiceIssuerName=issuer,
        InvoiceId=invoice.id,
        InvoiceDetailId=f"{invoice.id}/{number}",
        ServiceCategory=category,
        ServiceName=name,
        ServiceSubcategory=subcategory,
        SubAccountId=f"{invoice.tenant}/{line.project}" if line.project else None,
        SubAccountName=line.project or None,
    )
    if line.meter:
        found.update(_usage(line))
    return found


def _usage(line: Line) -> Row:
    meter = Meter(line.meter)
    units = Decimal(line.quantity) / PER[meter]
    sku = f"{line.meter}/{line.sku}"
    exact = units.quantize(Decimal(1).scaleb(-PLACES)).normalize()
    plain = Decimal(format(exact, "f"))
    return {
        "ConsumedQuantity": plain,
        "ConsumedUnit": UNITS[meter],
        "PricingQuantity": plain,
        "PricingUnit": UNITS[meter],
        "ContractedUnitPrice": line.unit_price,
        "ListUnitPrice": line.list_price,
        "ListCost": (units * line.list_price).quantize(line.amount),
        "PricingCategory": _PRICING.get(Plan(line.plan), "Standard") if line.plan else "Standard",
        "CapacityReservationId": line.reservation or None,
        "CapacityReservationStatus": _reserved(line),
        "SkuId": sku,
        "SkuMeter": UNITS[meter],
        "SkuPriceDetails": None,
        "SkuPriceId": "/".join((sku, line.plan, line.rate, str(line.version)))
        if line.plan
        else f"{sku}/{line.version}",
        "x_UsageClass": line.use or None,
    }


def _reserved(line: Line) -> str | None:
    if not line.reservation:
        return None
    return "Unused" if line.use == TimeClass.RESERVED_IDLE else "Used"


def _service(line: Line) -> tuple[str, str, str]:
    if not line.meter:
        return "Other", "Billing", "Other (Other)"
    return _SERVICES.get(Meter(line.meter), _MODELS)


def _start(month: str) -> str:
    return f"{day_of(month_start_ms(month))}T00:00:00Z"


def _end(month: str) -> str:
    """Exclusive, as the specification has it."""
    return f"{day_of(month_end_ms(month))}T00:00:00Z"
