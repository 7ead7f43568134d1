"""`gw prices`: the price book, version by version, and what was agreed with tenants."""

from typing import TYPE_CHECKING, Any, cast

import click

from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_session
from gigawatt.ledger.calendar import day_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatt.sdk.money_views import PriceVersionView, UnpricedView

EXAMPLES = """\b
Examples:
  gw prices check prices.yaml            what it would be, and what has no price
  gw prices set prices.yaml              a new version, from its `from` on
  gw prices                              the one that holds, and what comes
  gw prices agree acme --discount 12.5 --commitment 10000
"""
SHOWN_MAX = 500


@click.group("prices", cls=NounGroup, epilog=EXAMPLES)
def prices() -> None:
    """Show or set what things cost. `gw prices` shows. Versions are added and never changed."""


@prices.command("show")
@click.argument("number", required=False, type=int)
@with_session
def show(session: Session, *, number: int | None) -> None:
    """Show the price book that holds now and those to come; with NUMBER, that version."""
    page = session.client.prices.page(limit=SHOWN_MAX)
    if session.as_json:
        session.show_json(page)
        return
    versions = page["items"]
    if number is not None:
        versions = [each for each in versions if each["number"] == number]
        if not versions:
            raise click.ClickException(f"there is no version {number}")
    if not versions:
        session.say("nothing has a price: gw prices set FILE")
        return
    if number is None:
        versions = _now_and_later(versions, session.now_ms)
    for each in versions:
        _show(session, each)


@prices.command("set")
@click.argument("file", type=click.File("r"))
@with_session
def put(session: Session, *, file: Any) -> None:
    """Add the version of the price book that is in FILE (YAML or JSON)."""
    view = session.client.prices.set(_read(file))
    if session.as_json:
        session.show_json(view)
        return
    session.say(f"version {view['number']} holds from {day_of(view['from_ms'])} on")


@prices.command("check")
@click.argument("file", type=click.File("r"))
@with_session
def check(session: Session, *, file: Any) -> None:
    """Say what the version in FILE would be, and what was used of late and would have no price."""
    view = session.client.prices.check(_read(file))
    if session.as_json:
        session.show_json(view)
    else:
        _show(session, view["version"])
        _tell_unpriced(session, view["unpriced"])
    if view["unpriced"]:
        raise click.exceptions.Exit(1)


@prices.command("agreements")
@click.option("--tenant", default="", help="Only this tenant's.")
@with_session
def agreements(session: Session, *, tenant: str) -> None:
    """List what was agreed with tenants, the newest first."""
    page = session.client.prices.agreements(tenant=tenant, limit=SHOWN_MAX)
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import Column, show_table

    names = ("TENANT", "NUMBER", "FROM", "UNTIL", "DISCOUNT", "COMMITMENT", "PRICES", "NOTE")
    rows = [
        [
            each["tenant"],
            str(each["number"]),
            day_of(each["from_ms"]),
            day_of(each["until_ms"]) if each["until_ms"] else "-",
            f"{each['discount']} %",
            each["commitment"],
            str(len(each["prices"])),
            each["note"],
        ]
        for each in page["items"]
    ]
    show_table([Column(name=name) for name in names], rows)


@prices.command("agree")
@click.argument("tenant")
@click.option("--discount", help="Percent of every price of the book.")
@click.option("--commitment", help="At least so much a month.")
@click.option("--from", "start", help="From this day on; the first of this month if left out.")
@click.option("--until", help="Up to this day.")
@click.option("--prices", "file", type=click.File("r"), help="Prices in place of the book's.")
@click.option("--note", help="What people are told.")
@with_session
def agree(session: Session, *, tenant: str, file: Any, start: str | None, **given: Any) -> None:
    """Put on record what TENANT pays instead of the book's prices."""
    body = _read(file) if file else {}
    body.update({name: each for name, each in given.items() if each is not None})
    body["tenant"] = tenant
    if start:
        body["from"] = start
    view = session.client.prices.agree(body)
    if session.as_json:
        session.show_json(view)
        return
    session.say(f"agreement {view['number']} with {view['tenant']} is on record")


def _read(file: Any) -> dict[str, Any]:
    """The document, with decimals as they are written."""
    import yaml

    try:
        found = yaml.load(file.read(), Loader=yaml.BaseLoader)  # noqa: S506 - texts, lists and mappings alone
    except yaml.YAMLError as error:
        raise click.UsageError(f"{file.name} is no YAML: {error}") from None
    if not isinstance(found, dict):
        raise click.UsageError(f"{file.name} is no price book: it must be a mapping")
    return cast("dict[str, Any]", found)


def _now_and_later(versions: "Sequence[PriceVersionView]", now_ms: int) -> "list[PriceVersionView]":
    held = next((each for each in versions if each["from_ms"] <= now_ms), None)
    later = [
        each
        for each in versions
        if each["from_ms"] > now_ms and (held is None or each["number"] > held["number"])
    ]
    return [*([held] if held else []), *reversed(later)]


def _show(session: Session, view: "PriceVersionView") -> None:
    from gigawatt.cli.style import Column, show_heading, show_table

    show_heading(f"version {view['number']}, from {day_of(view['from_ms'])}")
    columns = [
        Column(name="OF"),
        Column(name="KIND", style="bold"),
        Column(name="PLAN"),
        Column(name="PRICE", right=True),
        Column(name="FOR"),
    ]
    rows = [
        [
            each["meter"].replace("_", " "),
            each["sku"],
            each["plan"] + (" holding" if each["rate"] == "holding" else ""),
            f"{each['amount']} {view['currency']}",
            each["unit"],
        ]
        for each in view["prices"]
    ]
    show_table(columns, rows)
    for tier in view["sla"]:
        session.say(f"below {tier['below']} % available: {tier['credit']} % back")


def _tell_unpriced(session: Session, found: "Sequence[UnpricedView]") -> None:
    for each in found:
        session.say(f"no price: {each['meter']} {each['sku']} {each['plan']}")
