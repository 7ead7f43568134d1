"""Invoices as files: text and HTML to be printed, CSV, and FOCUS as CSV or Parquet."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from typing import Any

from gigawatt.ledger.focus import COLUMNS, METRICS, focus_rows
from gigawatt.ledger.wording import digest_of, invoice_text, units_of, what_of
from gigawatt.model.bill import Invoice, Line
from gigawatt.model.prices import UNITS, Meter
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service.invoice_page import invoice_page
from gigawatt.service.views.money import plain
from gigawatt.spec.faults import nearest

FORMS = {
    "text": ("text/plain; charset=utf-8", "txt"),
    "html": ("text/html; charset=utf-8", "html"),
    "csv": ("text/csv; charset=utf-8", "csv"),
    "focus": ("text/csv; charset=utf-8", "focus.csv"),
    "parquet": ("application/vnd.apache.parquet", "focus.parquet"),
}
HEADER = (
    "invoice",
    "tenant",
    "line",
    "kind",
    "what",
    "month",
    "project",
    "meter",
    "sku",
    "plan",
    "rate",
    "use",
    "reservation",
    "quantity",
    "units",
    "unit",
    "unit_price",
    "list_price",
    "price_version",
    "agreement",
    "amount",
    "currency",
)
PLACES = 12  # of decimals in Parquet
DIGITS = 38
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # by which spreadsheets take text for a formula


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    content: bytes
    media_type: str
    file_name: str


def document(invoice: Invoice, form: str, *, issuer: str) -> Document:
    """The invoice in one of FORMS. Raises RefusalError."""
    if form not in FORMS:
        detail = f"invoices are not there as {form}; there are: {', '.join(FORMS)}"
        raise RefusalError(
            RefusalCode.INVALID, detail, field="format", hint=nearest(form, tuple(FORMS))
        )
    media_type, suffix = FORMS[form]
    name = f"invoice-{invoice.id.replace('/', '-')}.{suffix}"
    return Document(content=_content(invoice, form, issuer), media_type=media_type, file_name=name)


def _content(invoice: Invoice, form: str, issuer: str) -> bytes:
    if form == "text":
        return invoice_text(invoice).encode()
    if form == "html":
        digest = invoice.digest or digest_of(invoice_text(invoice))
        return invoice_page(invoice, issuer=issuer, digest=digest).encode()
    if form == "csv":
        rows = (_row(invoice, number, line) for number, line in enumerate(invoice.lines, start=1))
        return _csv(HEADER, rows)
    if form == "focus":
        found = focus_rows(invoice, issuer=issuer)
        return _csv(COLUMNS, ([_cell(row[name]) for name in COLUMNS] for row in found))
    return _parquet(invoice, issuer)


def _row(invoice: Invoice, number: int, line: Line) -> list[str]:
    cells = [invoice.id, invoice.tenant, str(number), line.kind.value, what_of(line), line.month]
    cells += [line.project, line.meter, line.sku, line.plan, line.rate, line.use, line.reservation]
    cells += [str(line.quantity), plain(units_of(line)) if line.meter else ""]
    cells += [UNITS[Meter(line.meter)] if line.meter else ""]
    cells += [plain(line.unit_price), plain(line.list_price), str(line.version)]
    return [*cells, str(line.agreement), plain(line.amount), invoice.currency]


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return out.getvalue().encode()


def _safe(cell: str) -> str:
    """Text that somebody chose is not to run as a formula; numbers stay as they are."""
    if cell.startswith(FORMULA) and not _is_number(cell):
        return f"'{cell}"
    return cell


def _is_number(cell: str) -> bool:
    return cell.removeprefix("-").replace(".", "", 1).isdecimal()


def _cell(value: str | Decimal | None) -> str:
    """Empty for null, as FOCUS has it in CSV."""
    if value is None:
        return ""
    return plain(value) if isinstance(value, Decimal) else value


def _parquet(invoice: Invoice, issuer: str) -> bytes:
    try:
        pa: Any = import_module("pyarrow")
        pq: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            "this instance cannot write Parquet",
            field="format",
            hint="pip install 'gigawatt[parquet]' where it runs, or take focus, which is CSV",
        ) from None
    types: dict[str, Any] = {
        name: pa.decimal128(DIGITS, PLACES) if name in METRICS else pa.string() for name in COLUMNS
    }
    rows = list(focus_rows(invoice, issuer=issuer))
    arrays: list[Any] = [
        pa.array([row[name] for row in rows], type=types[name]) for name in COLUMNS
    ]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=list(COLUMNS)), out, compression="zstd")
    return out.getvalue()
