"""`gw goodput`: where one job's device time went."""

from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.commands.ledger import class_rows, show_classes
from gigawatt.cli.complete import job_names
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.views import AttemptTimeView


@click.command("goodput")
@click.argument("job", shell_complete=job_names)
@with_project
@with_session
def goodput(session: Session, *, job: str) -> None:
    """Show where the device time of JOB went, and how much of it was kept."""
    found = session.client.job(job)
    view = found.goodput()
    if session.as_json:
        session.show_json(view)
        return
    from gigawatt.cli.style import Column, show_fields, show_heading, show_table

    show_fields(
        [
            ("job", f"{found.name} ({found.id})"),
            ("goodput", _share(view["goodput"])),
            ("ettr", _share(view["ettr"])),
            ("allocated", f"{form.device_time(view['total'])} of {form.device(view['unit'])} time"),
        ]
    )
    show_heading(f"where {form.device(view['unit'])} time went")
    show_classes(class_rows(view["classes"], view["total"]))
    if view["attempts"]:
        show_heading("attempts")
        columns = [
            Column(name="N", right=True),
            Column(name="VERDICT"),
            Column(name="CHARGED TO"),
            Column(name="TO FIRST STEP", right=True),
            Column(name="HELD", right=True),
            Column(name="NODES", wraps=True),
        ]
        show_table(columns, [_row(each) for each in view["attempts"]])


def _share(value: float | None) -> str:
    return form.NOTHING if value is None else form.percent(value, 1.0)


def _row(attempt: "AttemptTimeView") -> list[str]:
    first = attempt["first_step_ms"]
    return [
        str(attempt["n"]),
        attempt["verdict"] or form.NOTHING,
        attempt["charged_to"] or form.NOTHING,
        form.duration(first - attempt["placed_ms"]) if first else form.NOTHING,
        form.device_time(attempt["unit_ms"]),
        " ".join(attempt["nodes"]),
    ]
