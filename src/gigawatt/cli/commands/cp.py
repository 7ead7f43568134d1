"""`gw cp`: files and directories from and to a rank, verified, whole or not at all."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigawatt.cli.following import upload_bar
from gigawatt.cli.session import Session, with_project, with_session
from gigawatt.cli.targets import live_of, split_path, with_rank

if TYPE_CHECKING:
    from gigawatt.rank.copy import Copied


@click.command("cp")
@click.argument("source")
@click.argument("target")
@click.option("-L", "--follow", is_flag=True, help="Copy what links point to.")
@with_rank
@with_project
@with_session
def cp(
    session: Session, *, source: str, target: str, follow: bool, rank: int, replica: str
) -> None:
    """Copy SOURCE to TARGET, one of which is `JOB:PATH`: `gw cp train:out/model.pt .`, `gw cp data.csv train:`.

    A relative path is in the rank's directory. Into a directory that is there, a copy goes by its own name; a file is
    replaced, a directory never. What arrives is checked, and moved to its place when it is whole. A large copy that was
    broken off goes on where it was when it is asked for again.
    """
    (there, inner), (elsewhere, outer) = split_path(source), split_path(target)
    if bool(there) == bool(elsewhere):
        hint = "copy to here first, then from here" if there else "write the rank's as JOB:PATH"
        raise click.UsageError(f"one of the two must be a path in a job: {hint}")
    live = live_of(session, there or elsewhere, rank=rank, replica=replica)
    with upload_bar(session, source) as told:
        if there:
            here = Path(outer).expanduser()
            done = live.copy_from(inner, here, follow=follow, told=told)
        else:
            here = Path(inner).expanduser()
            done = live.copy_to(here, outer, follow=follow, told=told)
    _show(session, done)


def _show(session: Session, done: "Copied") -> None:
    from gigawatt.cli import format as form

    if session.as_json:
        session.show_json(done._asdict())
        return
    what = "1 entry" if done.entries == 1 else f"{done.entries} entries"
    kept = f", {form.size(done.kept_bytes)} of it from before" if done.kept_bytes else ""
    session.say(f"{done.path}: {what}, {form.size(done.size_bytes)}{kept}, verified")
