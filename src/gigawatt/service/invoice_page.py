"""An invoice as one HTML page to be printed: no script, no fonts, nothing fetched. Every word in it is escaped.

It is well-formed XML too, and the same bytes for the same invoice.
"""

from collections.abc import Iterable, Iterator
from html import escape

from gigawatt.ledger.calendar import day_of, month_end_ms, month_start_ms
from gigawatt.ledger.wording import HEADINGS, ROUNDING, sums_of, units_of, what_of
from gigawatt.model.bill import Invoice, Line, LineKind
from gigawatt.model.prices import UNITS, Meter

STYLE = """
@page{size:A4;margin:18mm}
body{font:14px/1.4 system-ui,sans-serif;color:#111;background:#fff;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0 0 .2rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem;break-after:avoid}
table{border-collapse:collapse;width:100%}thead{display:table-header-group}tr{break-inside:avoid}
th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #ccc;vertical-align:top;overflow-wrap:anywhere}
th.n,td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
small{color:#555}tfoot tr:nth-last-child(2) th,tfoot tr:nth-last-child(2) td{font-weight:700;border-top:2px solid #111}
@media print{body{margin:0;max-width:none;padding:0;font-size:10pt}}
"""


def invoice_page(invoice: Invoice, *, issuer: str, digest: str) -> str:
    """The whole document. `digest` is that of the invoice's text, by which it is recognised."""
    title = f"Invoice {invoice.id}"
    since, last = day_of(month_start_ms(invoice.month)), day_of(month_end_ms(invoice.month) - 1)
    facts = (
        ("From", issuer),
        ("To", invoice.tenant),
        ("Period", f"{since} to {last} (UTC)"),
        ("Currency", invoice.currency),
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\"/>"
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1><table><tbody>{''.join(_fact(*each) for each in facts)}"
        f"</tbody></table>{''.join(_sections(invoice))}{_total(invoice)}"
        f"<p><small>{escape(ROUNDING)}</small></p>"
        f"<p><small>{escape(digest)}</small></p></body></html>\n"
    )


def _fact(name: str, said: str) -> str:
    return f'<tr><th scope="row">{escape(name)}</th><td>{escape(said)}</td></tr>'


def _sections(invoice: Invoice) -> Iterator[str]:
    for kind, heading in HEADINGS.items():
        lines = [line for line in invoice.lines if line.kind is kind]
        if lines:
            yield f"<h2>{escape(heading)}</h2>{_table(lines)}"


def _table(lines: Iterable[Line]) -> str:
    names = (("Month", ""), ("Project", ""), ("What", ""))
    amounts = (("Quantity", "n"), ("Price", "n"), ("Amount", "n"))
    head = "".join(_cell("th", name, kind) for name, kind in (*names, *amounts))
    rows = "".join(_row(line) for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(line: Line) -> str:
    quantity = f"{units_of(line)} {UNITS[Meter(line.meter)]}" if line.meter else ""
    price = format(line.unit_price, "f") if line.kind is LineKind.USAGE else ""
    texts = (line.month, line.project, what_of(line))
    cells = "".join(_cell("td", text, "") for text in texts)
    cells += "".join(_cell("td", text, "n") for text in (quantity, price, str(line.amount)))
    more = "".join(_evidence(line)) if line.kind is LineKind.SLA_CREDIT else ""
    return f"<tr>{cells}</tr>{more}"


def _evidence(line: Line) -> Iterator[str]:
    for name, said in line.evidence:
        text = escape(f"{name} could not be used for {said} unit-ms")
        yield f'<tr><td></td><td></td><td colspan="4"><small>{text}</small></td></tr>'


def _cell(tag: str, text: str, kind: str) -> str:
    marked = f' class="{kind}"' if kind else ""
    scope = ' scope="col"' if tag == "th" else ""
    return f"<{tag}{marked}{scope}>{escape(text)}</{tag}>"


def _total(invoice: Invoice) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        f'<td class="n">{escape(f"{amount} {invoice.currency}")}</td></tr>'
        for name, amount in sums_of(invoice)
    )
    return f"<h2>Total</h2><table><tfoot>{rows}</tfoot></table>"
