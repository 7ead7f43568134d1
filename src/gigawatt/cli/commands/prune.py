"""`gw prune`: remove what need not be kept any more, or say what that would be."""

from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.retention_views import PruneView

KINDS = ("jobs", "logs", "checkpoints", "environments", "artifacts", "contents", "caches")


@click.command("prune")
@click.argument("kinds", nargs=-1, type=click.Choice(KINDS), metavar="[KIND…]")
@click.option("--dry-run", is_flag=True, help="Only say what would go, and why the rest stays.")
@click.option(
    "--older-than", metavar="DURATION", help="What is unused for so long, whatever policies say."
)
@with_project
@with_session
def prune(
    session: Session, *, kinds: tuple[str, ...], dry_run: bool, older_than: str | None
) -> None:
    """Remove what need not be kept any more: by the projects' policies, or by age.

    KIND is any of jobs, logs, checkpoints, environments, artifacts, contents (bytes that no artifact names any more)
    and caches (unpacked bundles and trees, made again when needed); none named is all but caches. Nothing that
    anything needs is removed.
    """
    view = session.client.retention.prune(kinds, older_than=older_than, dry_run=dry_run)
    if session.as_json:
        session.show_json(view)
    else:
        _show(session, view)
    if view["errors"]:
        raise click.exceptions.Exit(1)


def _show(session: Session, view: "PruneView") -> None:
    from gigawatt.cli.style import Column, show_heading, show_table

    goes = "WOULD GO" if view["dry_run"] else "WENT"
    columns = [
        Column(name="KIND", style="bold"),
        Column(name=goes, right=True),
        Column(name="SIZE", right=True),
        Column(name="STAY", right=True),
        Column(name="SIZE", right=True),
    ]
    rows = [
        [
            each["kind"],
            str(each["go"]),
            form.size(each["go_bytes"]),
            str(each["stay"]),
            form.size(each["stay_bytes"]),
        ]
        for each in view["kinds"]
    ]
    show_table(columns, rows)
    if view["dry_run"] and view["stay"]:
        show_heading("why what stays stays")
        reasons = [
            [each["kind"], str(each["items"]), each["why"], each["example"]]
            for each in view["stay"]
        ]
        headers = [
            Column(name="KIND", style="bold"),
            Column(name="ITEMS", right=True),
            Column(name="WHY", wraps=True),
            Column(name="FOR EXAMPLE"),
        ]
        show_table(headers, reasons)
    for error in view["errors"]:
        session.say(f"not removed: {error}")
    if view["more"]:
        session.say(f"{form.plural(view['more'], 'thing')} more: ask again")
