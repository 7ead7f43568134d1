"""`gw budget`: what may be spent in a month, and what is."""

from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli import format as form
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatt.sdk.money_views import BudgetView

SHOWN_MAX = 500
EXAMPLES = """\b
Examples:
  gw budget set --project vision --amount 5000
  gw budget set --amount 20000 --thresholds 50,80,95 --stop --grace 30m
  gw budget                                what is spent of which budget
  gw budget remove --project vision
"""


@click.group("budget", cls=NounGroup, epilog=EXAMPLES)
def budget() -> None:
    """Show or set what may be spent in a month. `gw budget` shows."""


@budget.command("show")
@with_session
def show(session: Session) -> None:
    """Show every budget, and what is spent of it."""
    _list(session)


@budget.command("list")
@with_session
def list_budgets(session: Session) -> None:
    """Show every budget, and what is spent of it."""
    _list(session)


@budget.command("set")
@click.option("--project", default="", help="Of this project; of the whole tenant if left out.")
@click.option("--tenant", default="", help="Of this tenant, for those who operate the site.")
@click.option("--amount", help="Money a month.")
@click.option("--tokens", type=int, default=0, help="Tokens a month; 0 is no limit.")
@click.option(
    "--thresholds", default="50,80,100", show_default=True, help="Tell at these, in percent."
)
@click.option(
    "--refuse/--only-tell",
    "refuses",
    default=True,
    help="Whether new work is refused once it is spent.",
)
@click.option("--stop", "stops", is_flag=True, help="Stop what runs, too, after the grace.")
@click.option("--grace", default="0s", metavar="DURATION", help="For what runs, to save.")
@with_session
def put(session: Session, *, thresholds: str, amount: str | None, **given: Any) -> None:
    """Make a budget, or change it as a whole."""
    if amount is None and not given["tokens"]:
        raise click.UsageError("say how much: --amount or --tokens")
    try:
        told = [int(each) for each in thresholds.split(",") if each]
    except ValueError:
        raise click.UsageError(f"--thresholds takes percentages, got {thresholds}") from None
    view = session.client.budgets.set(amount=amount, thresholds=told, **given)
    if session.as_json:
        session.show_json(view)
        return
    _shown([view])


@budget.command("remove")
@click.option("--project", default="", help="Of this project; of the whole tenant if left out.")
@click.option("--tenant", default="", help="Of this tenant, for those who operate the site.")
@with_session
def remove(session: Session, *, project: str, tenant: str) -> None:
    """Take a budget away: nothing limits what is spent any more."""
    session.client.budgets.remove(project=project, tenant=tenant)
    session.say("it is gone")


def _list(session: Session) -> None:
    page = session.client.budgets.page(limit=SHOWN_MAX)
    if session.as_json:
        session.show_json(page)
    elif page["items"]:
        _shown(sorted(page["items"], key=lambda view: (view["tenant"], view["project"])))
    else:
        session.say("there is no budget, so nothing limits what is spent: gw budget set --amount N")


def _shown(views: "Sequence[BudgetView]") -> None:
    from gigawatt.cli.style import Column, show_table

    columns = [Column(name="OF", style="bold"), Column(name="STATE", phase=True)]
    columns += [
        Column(name=name, right=True) for name in ("SPENT", "OF MONEY", "TOKENS", "OF TOKENS")
    ]
    columns += [Column(name="USED", right=True), Column(name="THEN")]
    show_table(columns, [_row(view) for view in views])


def _row(view: "BudgetView") -> list[str]:
    whose = f"{view['tenant']}/{view['project']}" if view["project"] else view["tenant"]
    then = "refuses new work" if view["refuses"] else "only tells"
    if view["stops"]:
        then += f", stops what runs after {form.duration(view['grace_s'] * 1_000)}"
    return [
        whose,
        view["state"],
        view["spent"],
        view["amount"] or "off",
        str(view["spent_tokens"]),
        str(view["tokens"]) if view["tokens"] else "off",
        "-" if view["state"] == "off" else f"{view['percent']} %",
        then,
    ]
