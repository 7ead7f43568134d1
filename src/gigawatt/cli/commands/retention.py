"""`gw retention`: how long a project's things are kept."""

from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.retention_views import PolicyView, RetentionView

KEEP = "DURATION|forever|default"


@click.group("retention", cls=NounGroup)
def retention() -> None:
    """Show or set how long a project's things are kept. `gw retention` shows."""


@retention.command("show")
@with_project
@with_session
def show(session: Session) -> None:
    """Show the policies of a project, and what the instance says where it has none."""
    _shown(session, session.client.retention.find())


@retention.command("set")
@click.option("--jobs", metavar=KEEP, help="Keep ended jobs for so long.")
@click.option("--logs", metavar=KEEP, help="Keep the output of ended jobs and replicas.")
@click.option("--checkpoints", metavar=KEEP, help="Keep the checkpoints of jobs that succeeded.")
@click.option("--environments", metavar=KEEP, help="Keep environments that nothing needs.")
@click.option("--artifacts", metavar=KEEP, help="Keep artifacts that nothing needs.")
@with_project
@with_session
def set_policy(session: Session, **keep: str | None) -> None:
    """Set policies; those not named stay as they are. What is needed is kept whatever they say."""
    named = {kind: value for kind, value in keep.items() if value is not None}
    if not named:
        raise click.UsageError("name at least one kind, e.g. --logs 30d")
    _shown(session, session.client.retention.change(**named))


def _shown(session: Session, view: "RetentionView") -> None:
    if session.as_json:
        session.show_json(view)
        return
    from gigawatt.cli.style import Column, show_table

    columns = [Column(name="KIND", style="bold"), Column(name="KEPT"), Column(name="BY")]
    rows = [[each["kind"], _span(each), _by(each, view)] for each in view["policies"]]
    show_table(columns, rows)


def _span(policy: "PolicyView") -> str:
    return form.duration(policy["keep_s"] * 1000) if policy["keep_s"] else "for ever"


def _by(policy: "PolicyView", view: "RetentionView") -> str:
    return "the instance" if policy["own_s"] is None else f"project {view['project']}"
