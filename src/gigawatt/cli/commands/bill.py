"""`gw bill`: what was used and what it costs, invoices, and what goes on them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli import format as form
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatt.sdk.money_views import InvoiceSummaryView

FORMS = ("text", "html", "csv", "focus", "parquet")
SHOWN_MAX = 500
EXAMPLES = """\b
Examples:
  gw bill                                  this month's costs, by project
  gw bill costs --by user,sku              the same by who used what
  gw bill costs --by job --since 2026-11-01 --until 2026-11-08
  gw bill invoices show                    this month's invoice as it would be now
  gw bill invoices show 2026-11 --format html --to november.html
  gw bill invoices show 2026-11 --format focus --to november.csv
  gw bill invoices close 2026-11           for those who operate the site
  gw bill adjust acme -12.50 --reason "late delivery"
"""


@click.group("bill", cls=NounGroup, epilog=EXAMPLES)
def bill() -> None:
    """Show costs and invoices. `gw bill` shows this month's costs."""


def _costs_options(command: Any) -> Any:
    for option in (
        click.option("--tenant", default="", help="Only this tenant's."),
        click.option("--until", default="", help="Up to this day."),
        click.option("--since", default="", help="From this day on; this month if left out."),
        click.option(
            "--by",
            default="project",
            show_default=True,
            metavar="SUBJECT,…",
            help="Sum by these: tenant, project, user, kind, name, job, endpoint, workspace, volume, key, meter, "
            "sku, plan, use, reservation, day, label:NAME.",
        ),
    ):
        command = option(command)
    return command


@bill.command("show")
@_costs_options
@with_project
@with_session
def show(session: Session, **given: Any) -> None:
    """Show what was used and what it cost."""
    _show_costs(session, **given)


@bill.command("costs")
@_costs_options
@with_project
@with_session
def costs(session: Session, **given: Any) -> None:
    """Show what was used and what it cost, by whom and of what, before credits and rounding to coins."""
    _show_costs(session, **given)


@bill.group("invoices", cls=NounGroup)
def invoices() -> None:
    """Invoices by the month. `gw bill invoices` shows the one of this month as it would be now."""


@invoices.command("show")
@click.argument("month", default="now")
@click.option("--tenant", default="", help="Of this tenant, for those who operate the site.")
@click.option("--format", "form", type=click.Choice(FORMS), default="text", show_default=True)
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="Write it there.")
@with_session
def show_invoice(session: Session, *, month: str, tenant: str, form: str, to: Path | None) -> None:
    """Print the invoice of MONTH (2026-11, or now). A month that is not closed is a draft."""
    if session.as_json:
        session.show_json(session.client.bills.find(month, tenant=tenant))
        return
    content = session.client.bills.download(month, tenant=tenant, format=form)
    if to is not None:
        to.write_bytes(content)
        session.say(f"{len(content)} bytes in {to}")
    elif form == "parquet":
        raise click.UsageError("Parquet is nothing for a terminal: name a file with --to")
    else:
        sys.stdout.write(content.decode())


@invoices.command("list")
@click.option("--tenant", default="", help="Only this tenant's.")
@with_session
def list_invoices(session: Session, *, tenant: str) -> None:
    """List the invoices of closed months, the newest first."""
    page = session.client.bills.page(limit=SHOWN_MAX, **({"tenant": tenant} if tenant else {}))
    if session.as_json:
        session.show_json(page)
    elif page["items"]:
        _show_invoices(page["items"])
    else:
        session.say("no month is closed: gw bill invoices show")


@invoices.command("close")
@click.argument("month")
@with_session
def close(session: Session, *, month: str) -> None:
    """Close MONTH: its invoices are worked out and do not change any more. Corrections go on later ones."""
    view = session.client.bills.close(month)
    if session.as_json:
        session.show_json(view)
        return
    session.say(
        f"{view['month']} is closed: {view['invoices']} invoices, {view['total']} {view['currency']} to be paid"
    )


@invoices.command("verify")
@click.argument("month")
@with_session
def verify(session: Session, *, month: str) -> None:
    """Work the invoices of MONTH out anew from the ledger and the prices, and compare."""
    view = session.client.bills.verify(month)
    if session.as_json:
        session.show_json(view)
    elif view["ok"]:
        session.say(f"all {view['invoices']} invoices of {view['month']} come out the same")
    else:
        session.say(f"these come out otherwise: {' '.join(view['differing'])}")
    if not view["ok"]:
        raise click.exceptions.Exit(1)


@bill.command("statement")
@click.argument("month", default="now")
@click.option("--unit", type=click.Choice(("gpu", "cpu")), default="gpu", show_default=True)
@with_session
def statement(session: Session, *, month: str, unit: str) -> None:
    """Show who answers for the device time of MONTH: the parts sum to what was installed."""
    view = session.client.bills.statement(month, unit=unit)
    if session.as_json:
        session.show_json(view)
        return
    from gigawatt.cli.style import show_fields

    parts = ("charged", "not_charged", "idle", "ours", "installed")
    amounts: dict[str, Any] = dict(view)
    show_fields([(name.replace("_", " "), form.device_time(amounts[name])) for name in parts])


@bill.command("adjust", context_settings={"ignore_unknown_options": True})
@click.argument("tenant")
@click.argument("amount")
@click.option("--reason", required=True, help="What the tenant is told.")
@click.option("--month", default="", help="Of which month it speaks.")
@with_session
def adjust(session: Session, *, tenant: str, amount: str, reason: str, month: str) -> None:
    """Put AMOUNT on TENANT's next invoice; a negative one gives back."""
    _post(session, tenant, amount, reason, month=month)


@bill.command("prepay")
@click.argument("tenant")
@click.argument("amount")
@click.option("--reason", default="paid in advance", show_default=True)
@with_session
def prepay(session: Session, *, tenant: str, amount: str, reason: str) -> None:
    """Fill TENANT's balance with AMOUNT; invoices are paid from it first."""
    _post(session, tenant, amount, reason, prepaid=True)


@bill.command("postings")
@click.option("--tenant", default="", help="Only this tenant's.")
@with_session
def postings(session: Session, *, tenant: str) -> None:
    """List adjustments and payments in advance, the newest first."""
    page = session.client.bills.postings(limit=SHOWN_MAX, **({"tenant": tenant} if tenant else {}))
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import Column, show_table

    columns = [Column(name="TENANT", style="bold"), Column(name="AMOUNT", right=True)]
    columns += [Column(name=name) for name in ("WHAT", "MONTH", "BY", "REASON")]
    rows = [
        [
            each["tenant"],
            each["amount"],
            "prepaid" if each["prepaid"] else "adjustment",
            each["month"],
            each["by"],
            each["reason"],
        ]
        for each in page["items"]
    ]
    show_table(columns, rows)


def _post(session: Session, tenant: str, amount: str, reason: str, **terms: Any) -> None:
    view = session.client.bills.post(tenant, amount, reason, **terms)
    if session.as_json:
        session.show_json(view)
    else:
        session.say(f"{view['amount']} goes on the next invoice of {view['tenant']}")


def _show_costs(session: Session, *, by: str, **given: Any) -> None:
    names = [name for name in by.split(",") if name]
    filters = {name: value for name, value in given.items() if value}
    view = session.client.bills.costs(by=names, **filters)
    if session.as_json:
        session.show_json(view)
        return
    from gigawatt.cli.style import Column, show_table

    columns = [Column(name=name.upper()) for name in view["by"]]
    amounts = ("GPU HOURS", "CORE HOURS", "GIB MONTHS", "TOKENS", f"COST {view['currency']}")
    columns += [Column(name=name, right=True) for name in amounts]
    rows = [
        [
            *(each["value"] or "-" for each in item["subjects"]),
            item["gpu_hours"],
            item["core_hours"],
            item["gib_months"],
            str(item["tokens"]),
            item["cost"],
        ]
        for item in view["items"]
    ]
    show_table(columns, rows)
    session.say(f"{view['cost']} {view['currency'] or '(nothing has a price)'} in all")
    for each in view["unpriced"]:
        session.say(f"no price: {each['meter']} {each['sku']} {each['plan']}")


def _show_invoices(items: "Sequence[InvoiceSummaryView]") -> None:
    from gigawatt.cli.style import Column, show_table

    columns = [Column(name="MONTH"), Column(name="TENANT", style="bold"), Column(name="STATUS")]
    columns += [
        Column(name=name, right=True) for name in ("CHARGES", "CREDITS", "TOTAL", "BALANCE")
    ]
    columns.append(Column(name="CURRENCY"))
    rows = [
        [
            each["month"],
            each["tenant"],
            each["status"],
            each["charges"],
            each["credits"],
            each["total"],
            each["balance"],
            each["currency"],
        ]
        for each in items
    ]
    show_table(columns, rows)
