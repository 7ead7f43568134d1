"""`gw exec`: a command beside a rank, with its exit code passed on."""

import asyncio
import base64
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.complete import job_names
from gigawatt.cli.session import Session, with_project, with_session
from gigawatt.cli.targets import ENDPOINT, live_of, with_rank

if TYPE_CHECKING:
    from gigawatt.sdk.live import Live
    from gigawatt.sdk.views import ExecView

OVERDUE = 124  # as timeout(1)
SIGNALLED = 128  # as a shell: and the signal's number
SECONDS = "60s"


@click.command("exec")
@click.argument("job", shell_complete=job_names)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("-i", "--stdin", is_flag=True, help="Pass this one's input on.")
@click.option("-t", "--tty", is_flag=True, help="Give it a terminal, and this one's input.")
@click.option(
    "--timeout",
    default=SECONDS,
    show_default=True,
    help="Kill it after this long; not with -i, -t.",
)
@with_rank
@with_project
@with_session
def exec_(session: Session, *, job: str, command: tuple[str, ...], **options: Any) -> None:
    """Run COMMAND beside a rank of JOB, in its directory and environment: `gw exec JOB -- nvidia-smi`.

    `gw exec -it JOB -- bash` opens a shell; `tar c x | gw exec -i JOB -- tar x` passes input on. What was started
    so ends with the connection. The exit code is the command's (128 + N after signal N, 124 after its time). Without
    -i and -t, of each stream 1 MiB comes back.
    """
    rank, replica = options["rank"], options["replica"]
    if options["stdin"] or options["tty"] or job.startswith(ENDPOINT):
        live = live_of(session, job, rank=rank, replica=replica)
        typed = options["stdin"] or options["tty"]
        raise click.exceptions.Exit(_talk(live, command, typed=typed, tty=options["tty"]))
    timeout = options["timeout"]
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


def _talk(live: "Live", command: tuple[str, ...], *, typed: bool, tty: bool) -> int:
    from gigawatt.cli.terminal import raw_terminal, status

    if tty and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal here to give: leave -t out")
    with raw_terminal() if tty else nullcontext():
        return status(asyncio.run(_conversed(live, command, typed=typed, tty=tty)))


async def _conversed(
    live: "Live", command: tuple[str, ...], *, typed: bool, tty: bool
) -> int | None:
    from gigawatt.cli.terminal import converse, window

    talking = await live.run(*command, window=window() if tty else None)
    signals = ("HUP", "TERM") if tty else ("INT", "HUP", "TERM", "QUIT")
    try:
        return await converse(talking, terminal=tty, typed=typed, signals=signals)
    finally:
        await talking.close()


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
