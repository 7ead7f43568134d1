"""`gw compare`: two jobs side by side."""

from typing import TYPE_CHECKING, Any, cast

import click

from gigawatt.cli import format as form
from gigawatt.cli.complete import job_names
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.comparison import ComparisonView, DifferenceView

VALUE_CHARS_MAX = 60  # of a value in the table; JSON has all of it


@click.command("compare")
@click.argument("a", shell_complete=job_names)
@click.argument("b", shell_complete=job_names)
@with_project
@with_session
def compare(session: Session, *, a: str, b: str) -> None:
    """Show in what jobs A and B differ: spec, packages, code; and their figures side by side."""
    jobs = session.client.jobs
    view = jobs.compare(jobs.find(a), jobs.find(b))
    if session.as_json:
        session.show_json(view)
        return
    _show_sides(view)
    _show("spec", view["spec"], "the same")
    _show("packages", view["packages"], "the same")
    _show("figures", view["figures"], "none yet")


def _show_sides(view: "ComparisonView") -> None:
    sides = (view["a"], view["b"])
    rows = [
        ["id", *(each["id"] for each in sides)],
        ["name", *(each["name"] for each in sides)],
        ["phase", *(each["phase"] for each in sides)],
        ["environment", *(each["environment"] for each in sides)],
        ["code", *(_digest(each["bundle"]) for each in sides)],
    ]
    _table(rows)


def _show(heading: str, differences: "list[DifferenceView]", nothing: str) -> None:
    from gigawatt.cli.style import show_heading

    show_heading(heading)
    if not differences:
        click.echo(nothing)
        return
    _table([[each["what"], _value(each["a"]), _value(each["b"])] for each in differences])


def _table(rows: list[list[str]]) -> None:
    from gigawatt.cli.style import Column, show_table

    show_table([Column(name=""), Column(name="A", wraps=True), Column(name="B", wraps=True)], rows)


def _value(value: Any) -> str:
    if value is None:
        return form.NOTHING
    if isinstance(value, float):
        return f"{value:.6g}"
    text = " ".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else str(value)
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= VALUE_CHARS_MAX else f"{one_line[: VALUE_CHARS_MAX - 1]}…"


def _digest(bundle: str) -> str:
    return form.short_digest(bundle) if bundle else form.NOTHING
