"""`gw stack`: where a job's ranks are in their programs, the same ones together."""

from typing import TYPE_CHECKING

import click

from gigawatt.cli.complete import job_names
from gigawatt.cli.ranks import named_ranks, shown
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.views import StackGroupView


@click.command("stack")
@click.argument("job", shell_complete=job_names)
@click.option("--rank", "ranks", multiple=True, metavar="N[,M]", help="Ranks; default: all.")
@with_project
@with_session
def stack(session: Session, *, job: str, ranks: tuple[str, ...]) -> None:
    """Show where the ranks of JOB are in their programs right now.

    Ranks with the same stacks are shown together, the largest group first: the rank that hangs is likely in the last.
    """
    chosen = named_ranks(ranks) or ()
    view = session.client.job(job).stacks(*chosen)
    if session.as_json:
        session.show_json(view)
        return
    for group in view["groups"]:
        _show(group)
    if view["gone"]:
        session.say(f"not running any more: rank {shown(view['gone'])}")
    if len(view["groups"]) > 1:
        odd = view["groups"][-1]["ranks"]
        session.say(f"{len(view['groups'])} different stacks; the rarest: rank {shown(odd)}")


def _show(group: "StackGroupView") -> None:
    from gigawatt.cli.style import show_heading

    ranks = group["ranks"]
    word = "rank" if len(ranks) == 1 else "ranks"
    show_heading(f"{word} {shown(ranks)}")
    click.echo(group["text"].rstrip("\n"))
