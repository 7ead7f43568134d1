"""`gw ledger`: where every installed device-second went."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from gigawatt.cli import format as form
from gigawatt.cli.session import Session, with_project, with_session

BAR_WIDTH = 24
UNITS = ("milli_gpu_ms", "milli_core_ms")


@click.command("ledger")
@click.option("--unit", type=click.Choice(UNITS), help="Default: GPUs where there are any.")
@click.option("--tenant", default="", help="Only this tenant's time.")
@click.option("--node", default="", help="Only this node's time.")
@with_project
@with_session
def ledger(session: Session, **given: Any) -> None:
    """Show what all installed device time was used for. The classes sum to what is installed."""
    view = session.client.ledger.totals(**given)
    if session.as_json:
        session.show_json(view)
        return
    from gigawatt.cli.style import show_fields, show_heading

    span = form.duration(view["until_ms"] - view["since_ms"]) if view["since_ms"] else ""
    installed = f"{form.device_time(view['installed'])} of {form.device(view['unit'])} time"
    show_fields([("installed", installed), ("over", span)])
    show_heading(f"where {form.device(view['unit'])} time went")
    show_classes(class_rows(view["classes"], view["installed"]))


def class_rows(classes: Mapping[str, int], total: int) -> list[list[str]]:
    """Classes with time in them, the largest first, then the sum."""
    used = sorted(
        ((name, amount) for name, amount in classes.items() if amount),
        key=lambda each: (-each[1], each[0]),
    )
    rows = [
        [
            name.replace("_", " "),
            form.device_time(amount),
            form.percent(amount, total),
            form.bar(amount, total, BAR_WIDTH),
        ]
        for name, amount in used
    ]
    whole = sum(classes.values())
    return [*rows, ["sum", form.device_time(whole), form.percent(whole, total), ""]]


def show_classes(rows: Sequence[Sequence[str]]) -> None:
    """Print them."""
    from gigawatt.cli.style import Column, show_table

    columns = [
        Column(name="CLASS", phase=True),
        Column(name="TIME", right=True),
        Column(name="SHARE", right=True),
        Column(name="", style="cyan"),
    ]
    show_table(columns, rows)
