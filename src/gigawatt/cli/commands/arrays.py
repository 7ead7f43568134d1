"""How `gw jobs` and `gw watch` show a job array: one line, its tasks by where they stand, a bar while it runs."""

from typing import TYPE_CHECKING, cast

import click

from gigawatt.cli import format as form
from gigawatt.cli.session import Session

if TYPE_CHECKING:
    from rich.console import Group

    from gigawatt.sdk.array_views import ArrayView
    from gigawatt.sdk.arrays import JobArray
    from gigawatt.sdk.views import JobView, Page

SHOWN_FAILED = 10
SHOWN_NEWEST = 10
INDICES_CHARS_MAX = 120
BAR_WIDTH = 40
FRAMES_PER_S = 5
STATES = ("succeeded", "failed", "cancelled", "running", "pending")


def list_row(array: "ArrayView", now_ms: int) -> list[str]:
    """One line of the list of jobs, for all of its tasks."""
    return [
        array["name"],
        array["id"],
        array["phase"],
        str(array["gang"]["nodes"]),
        f"{done(array)}/{array['tasks']}",
        form.NOTHING,
        form.NOTHING,
        form.age(array["created_ms"], now_ms),
        "; ".join(part for part in (summary(array), array["message"]) if part),
    ]


def done(array: "ArrayView") -> int:
    """How many tasks have ended, however they did."""
    counts = array["counts"]
    return counts["succeeded"] + counts["failed"] + counts["cancelled"]


def summary(array: "ArrayView") -> str:
    """`120 succeeded, 3 failed, 50 running, 827 pending`; what is none is left out."""
    counts = cast("dict[str, int]", array["counts"])
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])


def status_line(array: "ArrayView") -> str:
    """`train  running  123/1000: 120 succeeded, 3 failed, …`."""
    return f"{array['name']}  {array['phase']}  {done(array)}/{array['tasks']}: {summary(array)}"


def show_array(session: Session, array: "JobArray") -> None:
    """The array, and the tasks that most likely matter."""
    if session.as_json:
        session.show_json(array.view)
        return
    from gigawatt.cli.style import show_fields

    show_fields(fields(array.view, session.now_ms))
    failed = array.page(phase=("failed",), limit=SHOWN_FAILED)["items"]
    newest = array.page(limit=SHOWN_NEWEST)["items"]
    _show_tasks(session, "failed last", failed)
    _show_tasks(session, "newest", [task for task in newest if task["phase"] != "failed"])
    session.say(f"`gw jobs {array.id} --all` lists every task that has been started")


def list_tasks(session: Session, array: "JobArray", page: "Page[JobView]") -> None:
    """A page of its tasks."""
    if session.as_json:
        session.show_json(page)
        return
    _show_tasks(session, f"tasks of {array.name}", page["items"])
    if not page["items"]:
        session.say("no such tasks have been started")
    elif page["next"]:
        session.say(f"the newest {len(page['items'])}; --all for every one")


def fields(array: "ArrayView", now_ms: int) -> list[tuple[str, str]]:
    """The array as names and values."""
    indices = cast("dict[str, str]", array["indices"])
    reason, limit, ended = array["reason"], array["max_failures"], array["ended_ms"]
    return [
        ("name", array["name"]),
        ("id", array["id"]),
        ("phase", array["phase"]),
        ("why", array["message"] or (reason["message"] if reason else "")),
        ("tasks", f"{array['tasks']}: {summary(array)}"),
        *((f"  {state}", _cut(indices[state])) for state in STATES),
        ("at once", str(array["parallel"])),
        ("stops when", f"more than {limit} tasks have failed" if limit is not None else ""),
        *((f"  {name}", _cut(" ".join(values))) for name, values in array["sweep"].items()),
        ("project", f"{array['tenant']}/{array['project']}"),
        ("command", " ".join(array["command"])),
        ("environment", array["environment"]),
        ("made by", form.made_by(array.get("cause"))),
        ("after", " ".join(array["after"])),
        ("age", form.age(array["created_ms"], now_ms)),
        ("took", form.duration(ended - array["created_ms"]) if ended else ""),
    ]


def watch_array(session: Session, array: "JobArray") -> None:
    """A bar until it has ended; in a pipe, a line for each change."""
    from gigawatt.cli.style import stdout

    console = stdout()
    if session.as_json:
        for view in array.watch():
            session.show_json_line(view)
        return
    if not console.is_terminal:
        for view in array.watch():
            click.echo(status_line(view))
        return
    from rich.live import Live

    from gigawatt import clock

    def now() -> "Group":
        return picture(array.view, clock.now_ms())

    with Live(console=console, get_renderable=now, refresh_per_second=FRAMES_PER_S) as live:
        for _ in array.watch():
            pass
        live.refresh()


def picture(array: "ArrayView", now_ms: int) -> "Group":
    """What the terminal shows of an array at one moment."""
    from rich.console import Group
    from rich.text import Text

    from gigawatt.cli.style import phase_text

    head = Text.assemble((array["name"], "bold"), "  ", phase_text(array["phase"]), "  ")
    head.append(array["id"], style="dim")
    age = form.duration((array["ended_ms"] or now_ms) - array["created_ms"])
    bar = Text(bar_of(array), style="green")
    bar.append(f"  {done(array)}/{array['tasks']}  {age}", style="default")
    return Group(head, bar, Text(summary(array)))


def bar_of(array: "ArrayView") -> str:
    """How much of it has ended, as a bar."""
    full = done(array) * BAR_WIDTH // array["tasks"]
    return "█" * full + "░" * (BAR_WIDTH - full)


def _show_tasks(session: Session, title: str, tasks: "list[JobView]") -> None:
    from gigawatt.cli.commands.jobs import why
    from gigawatt.cli.style import DIM, Column, show_heading, show_table

    if not tasks:
        return
    show_heading(title)
    columns = [
        Column(name="TASK", right=True),
        Column(name="ID", style=DIM),
        Column(name="PHASE", phase=True),
        Column(name="ATTEMPTS", right=True),
        Column(name="AGE", right=True),
        Column(name="REASON", cut=True),
    ]
    rows = [
        [
            str(task["index"]),
            task["id"],
            task["phase"],
            str(len(task["attempts"])),
            form.age(task["created_ms"], session.now_ms),
            why(task),
        ]
        for task in tasks
    ]
    show_table(columns, rows)


def _cut(text: str) -> str:
    return text if len(text) <= INDICES_CHARS_MAX else f"{text[:INDICES_CHARS_MAX]}…"
