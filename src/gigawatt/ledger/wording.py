"""An invoice as text to be printed or sent: a hundred columns, the same bytes for the same invoice."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from hashlib import sha256

from gigawatt.ledger.calendar import day_of, month_end_ms, month_start_ms
from gigawatt.model.bill import Invoice, Line, LineKind
from gigawatt.model.prices import PER, TOKEN_METERS, UNITS, Meter

WIDTH = 100
SHOWN_PLACES = 4
ROUNDING = "Amounts are without tax. Each line is rounded once, to the smallest coin, a half away from zero."
HEADINGS = {
    LineKind.USAGE: "Charges",
    LineKind.OURS: "Not charged: what this time was lost to is not yours",
    LineKind.COMMITMENT: "Commitment",
    LineKind.SLA_CREDIT: "Service level credits",
    LineKind.ADJUSTMENT: "Adjustments",
    LineKind.PREPAID: "Paid",
}


def invoice_text(invoice: Invoice) -> str:
    """The whole invoice, ending in a line break."""
    return "\n".join(line.rstrip() for line in _parts(invoice)) + "\n"


def digest_of(text: str) -> str:
    """What an invoice is recognised by."""
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def what_of(line: Line) -> str:
    """What a line is for, in words."""
    if line.detail:
        return f"{line.reservation}: {line.detail}" if line.reservation else line.detail
    parts = [line.sku, line.meter.replace("_", " ") if line.meter in _TOKENS else ""]
    parts += [line.plan, "holding" if line.rate == "holding" else ""]
    parts += [line.use.replace("_", " "), f"in {line.reservation}" if line.reservation else ""]
    return " ".join(part for part in parts if part)


def units_of(line: Line) -> Decimal:
    """The quantity in the unit of its price, rounded to be shown; money is worked out from the exact one."""
    return shown_units(line.quantity, Meter(line.meter))


def shown_units(quantity: int, meter: Meter) -> Decimal:
    """A quantity in the meter's own unit, to so many places as people read."""
    per = PER[meter]
    shown = (2 * abs(quantity) * 10**SHOWN_PLACES + per) // (2 * per)
    return Decimal(-shown if quantity < 0 else shown).scaleb(-SHOWN_PLACES)


def sums_of(invoice: Invoice) -> Iterator[tuple[str, Decimal]]:
    """What the lines come to, by name."""
    yield "Charges", invoice.charges
    yield "Credits and adjustments", invoice.credits
    yield "To be paid", invoice.total
    yield "Prepaid balance left", invoice.balance


_TOKENS = frozenset(meter.value for meter in TOKEN_METERS)


def _parts(invoice: Invoice) -> Iterator[str]:
    yield f"INVOICE {invoice.id}"
    yield ""
    yield f"Tenant    {invoice.tenant}"
    last = day_of(month_end_ms(invoice.month) - 1)
    yield f"Period    {day_of(month_start_ms(invoice.month))} to {last} (UTC)"
    yield f"Currency  {invoice.currency}"
    for kind, heading in HEADINGS.items():
        lines = [line for line in invoice.lines if line.kind is kind]
        if lines:
            yield ""
            yield heading
            yield "-" * WIDTH
            yield from _table(lines)
    yield ""
    yield "=" * WIDTH
    for name, amount in sums_of(invoice):
        yield f"{name:<40}{f'{amount} {invoice.currency}':>{WIDTH - 40}}"
    yield ""
    yield ROUNDING


def _table(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        about = f"{line.project or '-'}: {what_of(line)}" if line.meter else what_of(line)
        if line.month:
            about = f"[{line.month}] {about}"
        counted = ""
        if line.meter:
            meter = Meter(line.meter)
            counted = f"{units_of(line)} {UNITS[meter]}"
            if line.kind is LineKind.USAGE:
                counted += f" at {line.unit_price}"
        for first, row in enumerate(_wrapped(about, 50)):
            told = f"{counted:>34} {line.amount:>14}" if first == 0 else ""
            yield f"{row:<50} {told}"
        for name, said in line.evidence if line.kind is LineKind.SLA_CREDIT else ():
            yield f"    {name} could not be used for {said} unit-ms"


def _wrapped(text: str, width: int) -> list[str]:
    """Broken between words; a word that is too long stands by itself."""
    if len(text) <= width:
        return [text]
    rows = [""]
    for word in text.split(" "):
        if rows[-1] and len(rows[-1]) + 1 + len(word) > width:
            rows.append("")
        rows[-1] = f"{rows[-1]} {word}" if rows[-1] else word
    return rows
