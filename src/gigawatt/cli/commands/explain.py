"""`gw explain`: why a job waits, what would move it forward, or how it failed and on what evidence."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.complete import job_names
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.views import ExplanationView, JobView

LINES_SHOWN = 8
STACKS, STACK_LINES_SHOWN = "stacks", 40
ENDED_BADLY = {"failed", "cancelled"}


@click.command("explain")
@click.argument("job", shell_complete=job_names)
@with_project
@with_session
def explain(session: Session, *, job: str) -> None:
    """Say why JOB waits and what would change that, or why it failed and how that is known."""
    found = session.client.job(job)
    view = found.explain()
    if session.as_json:
        session.show_json(view)
        return
    from gigawatt.cli.style import show_fields

    show_fields(fields(view, found.name, session.now_ms))
    if view["evidence"]:
        _show_evidence(view)
    if found.phase in ENDED_BADLY:
        _show_last_lines(found.view)


def fields(view: "ExplanationView", name: str, now_ms: int) -> list[tuple[str, str]]:
    """The answer as names and values."""
    reason, estimate, change = view["reason"], view["estimate"], view["cheapest_change"]
    position = view["position"]
    return [
        ("job", f"{name} ({view['job']})"),
        ("phase", view["phase"]),
        ("because", reason["message"] if reason else ""),
        ("reason", reason["code"] if reason else ""),
        ("position", f"{position} in the line" if position else ""),
        ("starts", form.estimate(estimate["p50"], estimate["p90"], now_ms) if estimate else ""),
        ("deadline", form.deadline(view["deadline"]) if view["deadline"] else ""),
        (
            "change",
            f"{change['field']} from {change['from']} to {change['to']}: starts {form.start(change['start'])}"
            if change
            else "",
        ),
        ("verdict", _verdict(view)),
        ("charged to", view["charged_to"]),
        ("message", view["message"]),
        ("saving", _saving(view)),
    ]


def _verdict(view: "ExplanationView") -> str:
    return f"{view['verdict']} (attempt {view['attempt']})" if view["verdict"] else ""


def _saving(view: "ExplanationView") -> str:
    """How often it saves, and what would waste less."""
    advice = view["checkpoint_advice"]
    if advice is None:
        return ""
    every, best, cost, mttf = (
        form.duration(round(1_000 * advice[name]))
        for name in ("interval_s", "best_s", "cost_s", "mttf_s")
    )
    return (
        f"every {every}, {cost} each, and a failure is to be expected every {mttf}:"
        f" {advice['waste']:.1%} of its time; every {best} would be {advice['best_waste']:.1%}"
    )


def _show_evidence(view: "ExplanationView") -> None:
    from gigawatt.cli.style import DIM, Column, show_heading, show_table

    show_heading("evidence")
    columns = [
        Column(name="AT", style=DIM),
        Column(name="WHAT"),
        Column(name="RANK", right=True),
        Column(name="NODE"),
        Column(name="DETAIL", wraps=True),
    ]
    rows = [
        [
            datetime.fromtimestamp(fact["at_ms"] / 1_000, UTC).astimezone().strftime("%H:%M:%S"),
            fact["what"],
            form.NOTHING if fact["rank"] is None else str(fact["rank"]),
            fact["node"] or form.NOTHING,
            "below" if fact["what"] == STACKS else fact["detail"],
        ]
        for fact in view["evidence"]
    ]
    show_table(columns, rows)
    for fact in view["evidence"]:
        if fact["what"] == STACKS:
            _show_stacks(fact["detail"])


def _show_stacks(text: str) -> None:
    """Where ranks were when they made no progress any more; all of it is in the JSON."""
    from gigawatt.cli.style import show_heading

    lines = text.splitlines()
    show_heading("stacks")
    for line in lines[:STACK_LINES_SHOWN]:
        click.echo(f"  {line}")
    if len(lines) > STACK_LINES_SHOWN:
        click.echo(f"  … {len(lines) - STACK_LINES_SHOWN} more lines with -o json")


def _show_last_lines(job: "JobView") -> None:
    """What the ranks that failed in the last attempt said last."""
    from gigawatt.cli.style import show_heading

    attempt = job["attempts"][-1] if job["attempts"] else None
    for rank in attempt["ranks"] if attempt else ():
        failed = rank["signal"] is not None or rank["exit_code"] not in (0, None)
        if failed and rank["last_lines"]:
            show_heading(f"last lines of rank {rank['rank']}")
            for line in rank["last_lines"][-LINES_SHOWN:]:
                click.echo(f"  {line}")
