"""`gw reservations`: nodes that are set aside for a time, for somebody or for maintenance."""

from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatt.sdk.reservations import ReservationView

NODES_SHOWN = 4
EXAMPLES = """\b
Examples:
  gw reservations make swap-fans --part rack=r7 --from 2026-12-01T06:00Z --for 4h --reason "new fans"
  gw reservations make launch --nodes n1,n2 --until 2026-12-24T18:00Z --holder acme/vision
  gw reservations                        what is set aside, and what comes
  gw reservations end swap-fans          it went faster
"""


@click.group("reservations", cls=NounGroup, epilog=EXAMPLES)
def reservations() -> None:
    """Set nodes aside for a time. `gw reservations` lists, `gw reservations NAME` shows one."""


@reservations.command("show")
@click.argument("name", required=False)
@with_session
def show(session: Session, *, name: str | None) -> None:
    """Show the reservation NAME; without NAME, list those that are not over."""
    if not name:
        _list(session)
        return
    view = session.client.reservations.find(name)
    if session.as_json:
        session.show_json(view)
        return
    _shown([view])
    session.say(f"nodes: {' '.join(view['nodes'])}")


@reservations.command("list")
@with_session
def list_reservations(session: Session) -> None:
    """List reservations that are not over."""
    _list(session)


@reservations.command("make")
@click.argument("name")
@click.option("--nodes", default="", metavar="NODE,NODE", help="Which nodes, by name.")
@click.option("--part", "parts", multiple=True, metavar="LEVEL=NAME", help="All nodes of it.")
@click.option("--from", "start", metavar="TIME", help="When it begins; now if left out.")
@click.option("--until", "end", metavar="TIME", help="When it is over.")
@click.option("--for", "duration", metavar="DURATION", help="How long it is, e.g. 4h.")
@click.option(
    "--holder", metavar="TENANT[/PROJECT]", help="Whose gangs it takes; nobody's if left out."
)
@click.option("--reason", help="What people are told.")
@click.option("--notice", metavar="DURATION", help="Before it, for those in the way to save.")
@click.option(
    "--lead", metavar="DURATION", help="Before it, gangs without a limit are not let in any more."
)
@click.option(
    "--plan",
    type=click.Choice(("reserved", "flex")),
    help="How the holder is charged; reserved if left out.",
)
@with_session
def make(
    session: Session, *, name: str, nodes: str, parts: tuple[str, ...], **given: str | None
) -> None:
    """Set nodes aside as NAME, for a project or a tenant, or for maintenance. Who is in the way saves and leaves."""
    if bool(given["end"]) == bool(given["duration"]):
        raise click.UsageError("say when it is over: either --until or --for")
    terms: dict[str, Any] = {field: each for field, each in given.items() if each is not None}
    named = [each for each in nodes.split(",") if each]
    view = session.client.reservations.make(name, named, parts=parts, **terms)
    if session.as_json:
        session.show_json(view)
        return
    _shown([view])


@reservations.command("end")
@click.argument("name")
@with_session
def end(session: Session, *, name: str) -> None:
    """Give the nodes of NAME back before its time."""
    view = session.client.reservations.end(name)
    if session.as_json:
        session.show_json(view)
    else:
        session.say(f"{view['name']} is over")


def _list(session: Session) -> None:
    page = session.client.reservations.page(limit=500)
    if session.as_json:
        session.show_json(page)
    elif page["items"]:
        _shown(sorted(page["items"], key=lambda view: (view["start_ms"], view["name"])))
    else:
        session.say("nothing is set aside: gw reservations make NAME --nodes NODE --for 4h")


def _shown(views: "Sequence[ReservationView]") -> None:
    from gigawatt.cli.style import Column, show_table

    columns = [
        Column(name="NAME", style="bold"),
        Column(name="PHASE"),
        Column(name="FROM"),
        Column(name="UNTIL"),
        Column(name="FOR"),
        Column(name="NODES", cut=True),
        Column(name="REASON", cut=True),
    ]
    show_table(columns, [_row(view) for view in views])


def _row(view: "ReservationView") -> list[str]:
    from gigawatt.spec.cron import written

    nodes = view["nodes"]
    more = f" and {len(nodes) - NODES_SHOWN} more" if len(nodes) > NODES_SHOWN else ""
    return [
        view["name"],
        view["phase"],
        written(view["start_ms"], "UTC"),
        written(view["end_ms"], "UTC"),
        view["holder"] or "maintenance",
        " ".join(nodes[:NODES_SHOWN]) + more,
        view["reason"],
    ]
