"""`gw exec`: a command beside a rank, with its exit code passed on."""

import base64
import sys
from typing import TYPE_CHECKING

import click

from gigawatt.cli.complete import job_names
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.views import ExecView

OVERDUE = 124  # as timeout(1)
SIGNALLED = 128  # as a shell: and the signal's number
SECONDS = "60s"


@click.command("exec")
@click.argument("job", shell_complete=job_names)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--rank", type=click.IntRange(min=0), default=0, help="Beside this rank; default 0.")
@click.option("--timeout", default=SECONDS, show_default=True, help="Kill it after this long.")
@with_project
@with_session
def exec_(session: Session, *, job: str, command: tuple[str, ...], rank: int, timeout: str) -> None:
    """Run COMMAND beside a rank of JOB, in its directory and environment: `gw exec JOB -- nvidia-smi`.

    The exit code is the command's (128 + N after signal N, 124 after its time). Of each stream, 1 MiB comes back.
    """
    view = session.client.job(job).exec(*command, rank=rank, timeout_s=_seconds(timeout))
    if session.as_json:
        session.show_json(view)
    else:
        _show(view)
    if view["dropped_bytes"]:
        session.say(f"{view['dropped_bytes']} bytes of output over the limit were dropped")
    if view["overdue"]:
        session.say(f"killed after {timeout}: --timeout gives it longer")
    raise click.exceptions.Exit(_code(view))


def _code(view: "ExecView") -> int:
    if view["overdue"]:
        return OVERDUE
    code = view["exit_code"]
    return code if code >= 0 else SIGNALLED - code


def _show(view: "ExecView") -> None:
    for text, stream in ((view["stdout"], sys.stdout), (view["stderr"], sys.stderr)):
        data = base64.b64decode(text) if view["encoding"] == "base64" else text.encode()
        stream.buffer.write(data)
        stream.buffer.flush()


def _seconds(text: str) -> float:
    from gigawatt.spec.units import UnitError, duration_ms

    try:
        return duration_ms(text) / 1_000
    except UnitError as error:
        raise click.BadParameter(f"{error.detail}: {error.hint}", param_hint="--timeout") from error
