"""Following a job from a terminal: what is said while it waits, its stages, and leaving it running on Ctrl-C."""

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.failure import INTERRUPTED
from gigawatt.cli.session import Session

if TYPE_CHECKING:
    from gigawatt.sdk.artifacts import Progress
    from gigawatt.sdk.jobhandle import Job
    from gigawatt.sdk.views import EnvironmentView, JobView

Tell = Callable[[str], None]
BAR_BYTES_MIN = 1 << 20  # less is through before a bar is read


@contextmanager
def goes_on(name: str) -> Generator[None]:
    """On Ctrl-C: leave with 130 and say that the job runs on."""
    try:
        yield
    except (KeyboardInterrupt, click.Abort):
        click.echo(f"\n{name} goes on: `gw watch {name}` or `gw cancel {name}`", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None


def wait_for_start(session: Session, job: "Job") -> None:
    """Wait until it has an attempt or has ended, and say on stderr why it waits. Raises ApiError, UnreachableError."""
    if job.ended or job.view["attempts"]:
        return
    with told(session) as tell, closing(job.watch()) as views:
        for view in views:
            if view["attempts"]:
                return
            tell(status_line(view))
            if view["phase"] == "preparing":
                _tell_stages(session, job, tell)


def wait_for_end(session: Session, job: "Job") -> None:
    """Wait until it has ended, and say on stderr what it does meanwhile. Raises ApiError, UnreachableError."""
    with told(session) as tell:
        for view in job.watch():
            tell(status_line(view))
            if view["phase"] == "preparing":
                _tell_stages(session, job, tell)


@contextmanager
def told(session: Session) -> Generator[Tell]:
    """A line that changes in a terminal; elsewhere a line for each change; nothing with JSON."""
    from gigawatt.cli.style import is_live, stderr

    if not session.as_json and is_live():
        with stderr().status("") as status:
            yield lambda text: status.update(_escaped(text))
    else:
        yield _changes(session)


@contextmanager
def upload_bar(session: Session, what: str) -> "Generator[Progress | None]":
    """A progress bar on stderr while bytes are sent, where someone can see it and there are enough of them."""
    from gigawatt.cli.style import is_live, stderr

    if session.as_json or not is_live():
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn(what), BarColumn(), DownloadColumn(binary_units=True))
    with Progress(*columns, TransferSpeedColumn(), console=stderr(), transient=True) as bars:
        task = bars.add_task("", total=None, visible=False)

        def advance(through: int, total: int) -> None:
            bars.update(task, completed=through, total=total, visible=total >= BAR_BYTES_MIN)

        yield advance


def status_line(view: "JobView") -> str:
    """`tiny-gpt  running  step 120  loss 2.31  8.1k tok/s`."""
    from gigawatt.cli.commands.jobs import why

    parts = [view["name"], view["phase"]]
    progress = view["progress"]
    if progress and view["phase"] == "running":
        if progress["step"] is not None:
            parts.append(f"step {progress['step']}")
        if progress["loss"] is not None:
            parts.append(f"loss {form.loss(progress['loss'])}")
        if progress["tokens_per_s"] is not None:
            parts.append(f"{form.count(progress['tokens_per_s'])} tok/s")
    reason = why(view)
    return "  ".join([*parts, reason] if reason else parts)


def stage_line(environment: "EnvironmentView") -> str:
    """`env-0123  building  installing torch`."""
    parts = (environment["id"], environment["phase"], environment["stage"])
    return "  ".join(part for part in parts if part)


def _tell_stages(session: Session, job: "Job", tell: Tell) -> None:
    """Tell of the environment until it is built, or until the job does not wait for it any more."""
    for environment in session.client.environments.stages(job.view["environment"]):
        tell(f"{job.name}  preparing  {stage_line(environment)}")
        if job.refresh().phase != "preparing":
            return


def _changes(session: Session) -> Tell:
    said = [""]

    def tell(text: str) -> None:
        steady = text.split("  step ", maxsplit=1)[0]  # not a line for every step
        if steady != said[0]:
            said[0] = steady
            session.say(text)

    return tell


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
