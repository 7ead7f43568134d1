"""`gw events`: what happened, and with `-f` what happens."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.failure import INTERRUPTED
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.views import EventView

LIMIT = 50
LIMIT_MAX = 999


@click.command("events")
@click.option("--follow", "-f", is_flag=True, help="Print them as they happen, until Ctrl-C.")
@click.option("--subject", default="", help="Only those of this id: a job's, a node's, ….")
@click.option("--kind", "kinds", multiple=True, help="Only this kind, e.g. job.running.")
@click.option("--after", type=click.IntRange(min=0), help="Only those after this number.")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=LIMIT, show_default=True)
@with_project
@with_session
def events(session: Session, *, follow: bool, limit: int, **given: Any) -> None:
    """Print the newest events, or those after a number, oldest first; with -o json and -f, one object a line."""
    filters = _filters(**given)
    if follow:
        _follow(session, filters)
        return
    found = session.client.events
    if filters["after"] is None:
        page = found.newest(limit, subject=filters["subject"], kind=filters["kind"])
    else:
        page = found.page(**filters, limit=limit)
    if session.as_json:
        session.show_json(page)
        return
    for event in page["items"]:
        _print(event)
    if not page["items"]:
        session.say("no events")


def line(event: "EventView") -> str:
    """`12:03:44.120  job.running  job-01…  on local-0`."""
    at = datetime.fromtimestamp(event["at_ms"] / 1_000, UTC).astimezone()
    parts = [at.strftime("%H:%M:%S.%f")[:-3], event["kind"].ljust(20), event["subject"]]
    return "  ".join([*parts, event["message"]] if event["message"] else parts)


def _filters(*, subject: str, kinds: tuple[str, ...], after: int | None) -> dict[str, Any]:
    return {"subject": subject, "kind": kinds, "after": after}


def _follow(session: Session, filters: dict[str, Any]) -> None:
    try:
        for event in session.client.events.watch(**filters):
            if session.as_json:
                session.show_json_line(event)
            else:
                _print(event)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None


def _print(event: "EventView") -> None:
    from gigawatt.cli.style import stdout

    console = stdout()
    if console.is_terminal:
        from rich.text import Text

        text = Text(line(event))
        text.stylize("dim", 0, 12)
        console.print(text, soft_wrap=True)
    else:
        click.echo(line(event))
