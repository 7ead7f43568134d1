"""`gw watch`: one job live, in place: phase, step, the loss as a line, throughput, ranks."""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.commands.arrays import watch_array
from gigawatt.cli.complete import job_names
from gigawatt.cli.failure import FAILED
from gigawatt.cli.following import goes_on, status_line
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

    from gigawatt.sdk.jobhandle import Job
    from gigawatt.sdk.views import JobView

SPARK_WIDTH = 40
LOSSES_MAX = 4_000
RANKS_SHOWN_MAX = 16
FRAMES_PER_S = 5
RANKS_WIDTH = 80
LABEL_WIDTH = 12


@click.command("watch")
@click.argument("job", shell_complete=job_names)
@with_project
@with_session
def watch(session: Session, *, job: str) -> None:
    """Follow JOB, or all of an array, until it has ended; exit 1 if it fails. With -o json: its view at each change, one a line."""
    from gigawatt.sdk.arrays import JobArray

    found = session.client.find(job)
    with goes_on(found.name):
        if isinstance(found, JobArray):
            watch_array(session, found)
        elif session.as_json:
            for view in found.watch():
                session.show_json_line(view)
        else:
            _watch(session, found)
    if found.phase != "succeeded":
        raise click.exceptions.Exit(FAILED)


@dataclass(slots=True, kw_only=True)
class Losses:
    """The losses seen, one for each step, oldest first; older ones are let go."""

    values: deque[float] = field(default_factory=lambda: deque[float](maxlen=LOSSES_MAX))
    step: int | None = None

    def take(self, view: "JobView") -> None:
        progress = view["progress"]
        if progress is None or progress["loss"] is None or progress["step"] == self.step:
            return
        self.step = progress["step"]
        self.values.append(progress["loss"])


def picture(view: "JobView", losses: Losses, now_ms: int) -> "Group":
    """What the terminal shows of a job at one moment."""
    from rich.console import Group
    from rich.text import Text

    from gigawatt.cli.commands.jobs import why
    from gigawatt.cli.style import phase_text

    head = Text.assemble((view["name"], "bold"), "  ", phase_text(view["phase"]), "  ")
    head.append(view["id"], style="dim")
    lines = [head]
    reason = why(view)
    for name, value in [("why", reason), *_figures(view, losses, now_ms)]:
        if value:
            lines.append(Text.assemble((name.ljust(LABEL_WIDTH), "dim"), value))
    return Group(*lines, *_ranks(view))


def _watch(session: Session, job: "Job") -> None:
    from gigawatt.cli.style import stdout

    console = stdout()
    if not console.is_terminal:
        said = ""
        for view in job.watch():
            line = status_line(view)
            if line != said:
                said = line
                click.echo(line)
        return
    from rich.live import Live

    from gigawatt import clock

    losses = Losses()

    def now() -> "Group":
        return picture(job.view, losses, clock.now_ms())

    with Live(console=console, get_renderable=now, refresh_per_second=FRAMES_PER_S) as live:
        for view in job.watch():
            losses.take(view)
        live.refresh()


def _figures(view: "JobView", losses: Losses, now_ms: int) -> list[tuple[str, str]]:
    progress, checkpoint = view["progress"], view["checkpoint"]
    figures = [
        ("age", form.duration((view["ended_ms"] or now_ms) - view["created_ms"])),
        ("attempt", str(len(view["attempts"]) or "")),
    ]
    if progress:
        step, loss, rate = progress["step"], progress["loss"], progress["tokens_per_s"]
        spark = form.sparkline(tuple(losses.values), SPARK_WIDTH)
        figures += [
            ("step", "" if step is None else str(step)),
            ("loss", "" if loss is None else f"{form.loss(loss)}  {spark}"),
            ("throughput", "" if rate is None else f"{form.count(rate)} tokens/s"),
        ]
    if checkpoint:
        figures.append(("checkpoint", f"step {checkpoint['step']}"))
    return figures


def _ranks(view: "JobView") -> "list[RenderableType]":
    from rich.text import Text

    from gigawatt.cli.commands.jobs import exit_of
    from gigawatt.cli.style import Column, rich_table

    attempt = view["attempts"][-1] if view["attempts"] else None
    if attempt is None:
        return []
    ranks = attempt["ranks"]
    columns = [
        Column(name="RANK", right=True),
        Column(name="NODE"),
        Column(name="PID", right=True),
        Column(name="EXIT"),
    ]
    rows = [
        [
            str(rank["rank"]),
            rank["node"],
            form.NOTHING if rank["pid"] is None else str(rank["pid"]),
            exit_of(rank["exit_code"], rank["signal"]),
        ]
        for rank in ranks[:RANKS_SHOWN_MAX]
    ]
    more = len(ranks) - RANKS_SHOWN_MAX
    shown: list[RenderableType] = [Text(""), rich_table(columns, rows, width=RANKS_WIDTH)]
    return [*shown, Text(f"and {more} ranks more", style="dim")] if more > 0 else shown
