"""`gw schedules`: jobs and arrays that are submitted again and again."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli import format as form
from gigawatt.cli.commands.run import RunCommand
from gigawatt.cli.commands.run_filling import Filling, filling_options
from gigawatt.cli.complete import schedule_names
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatt.sdk.standing_views import FireView, ScheduleView

FIRES = 10
FIRES_MAX = 500
EXAMPLES = """\b
Examples:
  gw schedules create nightly --cron "0 3 * * *" --tz Europe/Berlin job.yaml
  gw schedules create weekly --cron @weekly --template train -p lr=0.1
  gw schedules create tidy --cron "*/30 * * * *" -- python tidy.py
  gw schedules nightly                   when it is due, and what became of the last times
"""


@click.group("schedules", cls=NounGroup, epilog=EXAMPLES)
def schedules() -> None:
    """Have jobs and arrays submitted again and again. `gw schedules` lists, `gw schedules NAME` shows one."""


@schedules.command("show")
@click.argument("name", required=False, shell_complete=schedule_names)
@click.option(
    "--fires",
    type=click.IntRange(0, FIRES_MAX),
    default=FIRES,
    show_default=True,
    help="How many of its last due times are shown.",
)
@with_project
@with_session
def show(session: Session, *, name: str | None, fires: int) -> None:
    """Show the schedule NAME: when it is due next, and what became of the last times; without NAME, list them."""
    if not name:
        _list(session)
        return
    view = session.client.schedules.find(name)
    past = session.client.schedules.fires(name, limit=fires)["items"] if fires else []
    if session.as_json:
        session.show_json({**view, "fires": past})
        return
    _show_one(view)
    if past:
        _show_fires(view, past)


@schedules.command("list")
@with_project
@with_session
def list_schedules(session: Session) -> None:
    """List schedules."""
    _list(session)


@schedules.command("create", cls=RunCommand)
@click.argument("name")
@click.argument("files", nargs=-1, metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--cron", required=True, help='Five fields: "0 3 * * *", or @hourly, @daily, @weekly.'
)
@click.option("--tz", "timezone", default="UTC", show_default=True, help="A time zone's name.")
@click.option(
    "--overlap",
    type=click.Choice(["allow", "skip", "replace"]),
    default="skip",
    show_default=True,
    help="What to do while an earlier job has not ended.",
)
@click.option(
    "--catch-up",
    type=click.Choice(["none", "last", "all"]),
    default="last",
    show_default=True,
    help="Which due times are made up for that nobody was there for.",
)
@click.option("--deadline", help="Start nothing later than this after its time, e.g. 30m.")
@filling_options
@with_project
@with_session
def create(session: Session, *, name: str, files: tuple[Path, ...], **given: Any) -> None:
    """Have the job or array of FILE, of a template, or of a command after `--` submitted whenever it is due, for your key."""
    from gigawatt.cli.commands.run_spec import Flags, written_jobs

    filling = Filling.taken_from(given)
    command: tuple[str, ...] = click.get_current_context().meta["command"]
    ready = written_jobs(files, command, Flags(), filling)
    if len(ready) != 1:
        raise click.UsageError(f"a schedule has one job, and there are {len(ready)}")
    cron = given.pop("cron")
    timing = {field: each for field, each in given.items() if each is not None}
    view = session.client.schedules.create(name, cron, ready[0], **timing)
    if session.as_json:
        session.show_json(view)
        return
    click.echo(view["name"])
    session.say(f"{view['name']} is due {_due(view)}")


@schedules.command("pause")
@click.argument("name", shell_complete=schedule_names)
@with_project
@with_session
def pause(session: Session, *, name: str) -> None:
    """Submit nothing until it is resumed. What is due meanwhile is not made up for."""
    _changed(session, session.client.schedules.pause(name))


@schedules.command("resume")
@click.argument("name", shell_complete=schedule_names)
@with_project
@with_session
def resume(session: Session, *, name: str) -> None:
    """Have it go on with what is due from now on, for your key."""
    _changed(session, session.client.schedules.resume(name))


@schedules.command("run-now")
@click.argument("name", shell_complete=schedule_names)
@with_project
@with_session
def run_now(session: Session, *, name: str) -> None:
    """Submit its job or array now, also while it is paused. The new id is printed."""
    job = session.client.schedules.run(name)
    if session.as_json:
        session.show_json(job.view)
    else:
        click.echo(job.id)


@schedules.command("delete")
@click.argument("name", shell_complete=schedule_names)
@with_project
@with_session
def delete(session: Session, *, name: str) -> None:
    """Delete the schedule NAME. Its jobs stay, and go on."""
    session.client.schedules.remove(name)
    session.say(f"schedule {name} is deleted")


def _changed(session: Session, view: "ScheduleView") -> None:
    if session.as_json:
        session.show_json(view)
    else:
        session.say(f"{view['name']} is {view['phase']}{_next(view)}")


def _next(view: "ScheduleView") -> str:
    return f", due {_due(view)}" if view["next_ms"] is not None else ""


def _list(session: Session) -> None:
    page = session.client.schedules.page()
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import Column, show_table

    if not page["items"]:
        session.say("no schedules yet: gw schedules create NAME --cron …")
        return
    columns = [
        Column(name="NAME", style="bold"),
        Column(name="PHASE", phase=True),
        Column(name="CRON"),
        Column(name="DUE"),
        Column(name="JOB"),
        Column(name="LAST JOB"),
        Column(name="REASON", cut=True),
    ]
    rows = [
        [
            each["name"],
            each["phase"],
            each["cron"],
            _due(each),
            _made_of(each),
            each["last_job"] or form.NOTHING,
            each["message"],
        ]
        for each in page["items"]
    ]
    show_table(columns, rows)


def _show_one(view: "ScheduleView") -> None:
    from gigawatt.cli.style import show_fields, show_heading

    deadline = form.duration(view["deadline_s"] * 1_000) if view["deadline_s"] else ""
    values = " ".join(f"{name}={value}" for name, value in view["parameters"].items())
    show_fields(
        [
            ("name", view["name"]),
            ("phase", view["phase"]),
            ("why", view["message"]),
            ("cron", f"{view['cron']}  ({view['timezone']})"),
            ("job", _made_of(view)),
            ("parameters", values),
            ("runs for", view["owner"]),
            ("overlap", view["overlap"]),
            ("catch up", view["catch_up"]),
            ("deadline", deadline),
            ("last job", view["last_job"]),
        ]
    )
    if view["upcoming"]:
        show_heading("due")
        for at_ms in view["upcoming"]:
            click.echo(_written(at_ms, view["timezone"]))


def _show_fires(view: "ScheduleView", fires: "Sequence[FireView]") -> None:
    from gigawatt.cli.style import Column, show_heading, show_table

    show_heading("what became of the last due times")
    columns = [
        Column(name="DUE"),
        Column(name="OUTCOME"),
        Column(name="JOB"),
        Column(name="TIMES", right=True),
        Column(name="DETAIL", cut=True),
    ]
    rows = [
        [
            _written(each["due_ms"], view["timezone"]),
            each["outcome"],
            each["job"] or form.NOTHING,
            str(each["count"]),
            each["detail"],
        ]
        for each in fires
    ]
    show_table(columns, rows)


def _made_of(view: "ScheduleView") -> str:
    made = f"{view['template']}@{view['template_number']}" if view["template"] else view["job"]
    return f"{made} ({view['tasks']} tasks)" if view["tasks"] else made


def _due(view: "ScheduleView") -> str:
    return form.NOTHING if view["next_ms"] is None else _written(view["next_ms"], view["timezone"])


def _written(at_ms: int, zone: str) -> str:
    from gigawatt.spec.cron import written

    return written(at_ms, zone)
