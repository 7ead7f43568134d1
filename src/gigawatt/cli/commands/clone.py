"""`gw clone`: submit a job again, with changes."""

from typing import Any

import click

from gigawatt.cli.commands.run import How, RunCommand, carry_out, checked, job_options
from gigawatt.cli.commands.run_spec import Flags, command_word
from gigawatt.cli.complete import job_names
from gigawatt.cli.session import Session, with_project, with_session


class CloneCommand(RunCommand):
    """The job stands where files do."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS]", "JOB", "[-- COMMAND…]"]


@click.command("clone", cls=CloneCommand)
@click.argument("job", shell_complete=job_names)
@job_options
@with_project
@with_session
def clone(session: Session, *, job: str, **given: Any) -> None:
    """Submit JOB again: the same spec, code and environment, but for what flags change.

    `--env` and `--label` add to those it has; a command after `--` replaces its own. The new id is printed.
    """
    how = How.taken_from(given)
    command: tuple[str, ...] = click.get_current_context().meta["command"]
    changes = Flags.taken_from(given).fields()
    if command:
        changes["command"] = command_word(command)
    ready = [session.client.job(job).cloned(**changes)]
    checked(session, how, jobs=1)
    carry_out(session, ready, how)
