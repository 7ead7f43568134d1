"""`gw run`: submit jobs from a file, or a command with flags; try them out; wait for them; follow them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.commands.gang_flags import gang_options
from gigawatt.cli.commands.run_filling import Filling, filling_options
from gigawatt.cli.commands.run_spec import Flags, written_jobs
from gigawatt.cli.failure import FAILED
from gigawatt.cli.session import Command, Session, with_project, with_session

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from gigawatt.sdk.arrays import JobArray
    from gigawatt.sdk.jobfile import Ready
    from gigawatt.sdk.jobhandle import Job

EXAMPLES = """\b
Examples:
  gw run job.yaml                        every job of a file, in its order
  gw run -- python train.py --lr 3e-4    a command, with this directory's code
  gw run --nodes 2 --gpus 8 -- torchrun-like.sh
  gw run --nodes 64 --gpus 4 --segment 16:nvlink --spares 2 -- ./train.sh
  gw run job.yaml --env LR=3e-4 --follow
  gw run job.yaml -p lr=3e-4             a file that declares parameters
  gw run --template train -p lr=3e-4     a template: see gw templates
  gw run --array 0-9999%50 -- ./task.sh  ten thousand tasks, fifty at once
  gw run --sweep LR=1e-4,3e-4 --sweep SEED=1,2,3 -- python train.py
"""


class RunCommand(click.Command):
    """Tells files, which stand before `--`, from the command, which stands after it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        before, after = args, []
        if "--" in args:
            cut = args.index("--")
            before, after = args[:cut], args[cut + 1 :]
        ctx.meta["command"] = tuple(after)
        return super().parse_args(ctx, before)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS]", "FILE… | -- COMMAND…"]


_OPTIONS = (
    click.option("--name", help="The job's name; default: made from the command."),
    click.option("--env", multiple=True, metavar="NAME=VALUE", help="An environment variable."),
    click.option("--environment", help="host, or the path of a lock (exact pins) for uv."),
    click.option(
        "--requirements", type=click.Path(path_type=Path), help="A requirements file for uv."
    ),
    click.option("--python", help='Python of the environment, e.g. "3.11".'),
    click.option(
        "--bundle", type=click.Path(path_type=Path), help="Code to take along; default: here."
    ),
    click.option("--no-bundle", is_flag=True, help="Take no code along."),
    click.option("--priority", type=int, help="-1000 to 1000; default 0."),
    click.option("--timeout", help="Stop it after this long, e.g. 2h."),
    click.option("--start-after", metavar="TIME", help="Not before, e.g. 2026-01-31T12:00:00Z."),
    click.option("--start-before", metavar="TIME", help="It fails if it has not started by then."),
    click.option("--deadline", metavar="TIME", help="When it should be done."),
    click.option("--finish-within", metavar="TIME", help="Likewise, from now on, e.g. 6h."),
    click.option(
        "--at-deadline",
        type=click.Choice(("keep", "stop")),
        help="What becomes of it if it is not done by then; default keep.",
    ),
    click.option("--retries", type=int, help="More attempts when the program fails; default 0."),
    click.option(
        "--after",
        multiple=True,
        metavar="JOB",
        help="Start when this job has succeeded; ARRAY[3] is one task.",
    ),
    click.option("--after-failed", multiple=True, metavar="JOB", help="Start when it has failed."),
    click.option("--after-done", multiple=True, metavar="JOB", help="Start however it has ended."),
    click.option(
        "--after-each",
        metavar="ARRAY",
        help="Start each task when the one of ARRAY with its index has succeeded.",
    ),
    click.option(
        "--from",
        "start_from",
        metavar="JOB[@STEP]",
        help="Start from a checkpoint of another job.",
    ),
    click.option("--terminal", is_flag=True, help="Give ranks one, to be talked to by gw attach."),
    click.option(
        "--isolation",
        type=click.Choice(("none", "process", "user", "node")),
        help="Kept apart from other gangs at least so far; default none.",
    ),
    click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="A label."),
    click.option(
        "--volume",
        "volumes",
        multiple=True,
        metavar="NAME[:V][:PATH[:MODE]]",
        help="A volume for its ranks to see, e.g. imagenet:3 or scratch:out:rw.",
    ),
    click.option(
        "--secret",
        "secrets",
        multiple=True,
        metavar="VARIABLE=NAME[:file]",
        help="A secret of the project in a variable, or as a file alone.",
    ),
    click.option("--model", metavar="NAME=PATH", help="Register PATH as a model when it succeeds."),
    click.option("--array", metavar="[N|A-B][%P]", help="Many tasks: 0-9999%50 runs 50 at once."),
    click.option(
        "--sweep", multiple=True, metavar="NAME=V,…", help="A grid of variables; repeatable."
    ),
    click.option("--max-failures", type=click.IntRange(0), help="Stop an array after more than N."),
    click.option("--dry-run", is_flag=True, help="Say what would run where, and why; run nothing."),
    click.option("--wait", is_flag=True, help="Wait for its end; exit 1 if it fails."),
    click.option("--follow", "-f", is_flag=True, help="Print its output, and wait as --wait does."),
)


def job_options(command: Command) -> Command:
    """The options that say what a job is, and what is done with it once it is submitted."""
    for option in reversed(_OPTIONS[1:]):
        command = option(command)
    return _OPTIONS[0](gang_options(command))


@click.command("run", cls=RunCommand, epilog=EXAMPLES)
@click.argument("files", nargs=-1, metavar="FILE", type=click.Path(path_type=Path))
@filling_options
@job_options
@with_project
@with_session
def run(session: Session, *, files: tuple[Path, ...], **given: Any) -> None:
    """Submit jobs: those of each FILE (YAML or JSON, `-` is stdin), or one that runs COMMAND.

    Flags win over what a file says. The id of each job is printed.
    """
    how = How.taken_from(given)
    command: tuple[str, ...] = click.get_current_context().meta["command"]
    filling = Filling.taken_from(given)
    ready = written_jobs(files, command, Flags.taken_from(given), filling)
    checked(session, how, jobs=len(ready))
    carry_out(session, ready, how)


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What is done with what was submitted."""

    dry_run: bool
    wait: bool
    follow: bool

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> "How":
        """Out of the options of a command; what is left says what the job is."""
        return cls(**{name: given.pop(name) for name in ("dry_run", "wait", "follow")})


def checked(session: Session, how: "How", *, jobs: int) -> None:
    """Raises click.UsageError for what does not go together."""
    if how.follow and session.as_json:
        raise click.UsageError("--follow prints what ranks write; with -o json, use --wait")
    if how.follow and jobs > 1:
        raise click.UsageError("--follow takes one job; wait for several with --wait")


def carry_out(session: Session, ready: "list[Ready]", how: "How") -> None:
    """Try jobs out, or submit them and wait as asked."""
    if how.dry_run:
        _try_out(session, ready)
    else:
        _submit(session, ready, how)


def _try_out(session: Session, ready: "list[Ready]") -> None:
    from gigawatt.cli.commands.run_dry import show_dry_run
    from gigawatt.sdk.arrays import is_array

    client = session.client
    found = [
        client.arrays.dry_run(each) if is_array(each) else client.jobs.dry_run(each)
        for each in ready
    ]
    if session.as_json:
        session.show_json(found[0] if len(found) == 1 else {"items": found, "next": ""})
    else:
        for each, view in zip(ready, found, strict=True):
            show_dry_run(each, view)
    if not all(view["feasible"] for view in found):
        raise click.exceptions.Exit(FAILED)


def _submit(session: Session, ready: "list[Ready]", how: How) -> None:
    jobs: list[Job | JobArray] = []
    for each in ready:
        job = _sent(session, each)
        jobs.append(job)
        if not (session.as_json or how.follow):
            click.echo(job.id)
        session.say(_submitted(job, how))
    first = jobs[0]
    if how.follow and not _is_array(first):
        _follow(session, first)
    elif how.wait or how.follow:
        for job in jobs:
            _wait(session, job)
    if session.as_json:
        views = [job.view for job in jobs]
        session.show_json(views[0] if len(views) == 1 else {"items": views, "next": ""})
    if any(job.phase in {"failed", "cancelled"} for job in jobs):
        raise click.exceptions.Exit(FAILED)


def _sent(session: Session, ready: "Ready") -> "Job | JobArray":
    from gigawatt.cli.following import upload_bar
    from gigawatt.sdk.arrays import is_array

    with upload_bar(session, "bundle") as progress:
        whole = session.client.jobs.with_bundle(ready, progress=progress)
    client = session.client
    return client.arrays.send(whole) if is_array(whole) else client.jobs.send(whole)


def _submitted(job: "Job | JobArray", how: How) -> str:
    from gigawatt.cli import format as form

    if how.follow or how.wait:
        return f"{job.name} {job.id} {job.phase}"
    if _is_array(job):
        return f"{job.name}: {job.view['tasks']} tasks: `gw watch {job.name}`"
    told = f"{job.name} is {job.phase}: `gw logs -f {job.name}`, `gw watch {job.name}`"
    deadline = job.view["deadline"]
    return f"{told}; {form.deadline(deadline)}" if deadline else told


def _follow(session: Session, job: "Job") -> None:
    from gigawatt.cli.commands.logs import follow_job
    from gigawatt.cli.following import goes_on

    with goes_on(job.name):
        follow_job(session, job)
        job.wait(check=False)
    _tell_end(session, job)


def _wait(session: Session, job: "Job | JobArray") -> None:
    from gigawatt.cli.commands.arrays import status_line
    from gigawatt.cli.following import goes_on, told, wait_for_end

    with goes_on(job.name):
        if _is_array(job):
            with told(session) as tell:
                for view in job.watch():
                    tell(status_line(view))
        else:
            wait_for_end(session, job)
        job.wait(check=False)
    _tell_end(session, job)


def _tell_end(session: Session, job: "Job | JobArray") -> None:
    from gigawatt.cli import format as form
    from gigawatt.cli.failure import say_error

    view = job.view
    took = form.duration((view["ended_ms"] or view["created_ms"]) - view["created_ms"])
    if job.phase == "succeeded":
        model = "" if _is_array(job) else job.view["model_version"]
        made = f", model {model}" if model else ""
        session.say(f"{job.name} succeeded in {took}{made}")
    elif not session.as_json:
        why = view["message"] or "no reason was given"
        hint = f"gw jobs {job.id}" if _is_array(job) else f"gw explain {job.name}"
        say_error(f"{job.name} {job.phase} after {took}: {why}", hint)


def _is_array(job: "Job | JobArray") -> "TypeIs[JobArray]":
    from gigawatt.sdk.arrays import JobArray

    return isinstance(job, JobArray)
