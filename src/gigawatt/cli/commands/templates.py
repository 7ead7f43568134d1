"""`gw templates`: job files with parameters, kept by the instance as versions."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.commands.run_filling import split_version
from gigawatt.cli.complete import template_names
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatt.sdk.jobfile import Written
    from gigawatt.sdk.standing_views import ParameterView, TemplateView

EXAMPLES = """\b
Examples:
  gw templates push train.yaml           a job file with `parameters:`; a change makes a new version
  gw templates show train                what may be given, and the file
  gw run --template train -p lr=0.1 -p nodes=2
  gw run --template train@3 --dry-run
"""


@click.group("templates", cls=NounGroup, epilog=EXAMPLES)
def templates() -> None:
    """Push, list, show and delete templates. `gw templates` lists, `gw templates NAME` shows one."""


@templates.command("show")
@click.argument("name", required=False, shell_complete=template_names)
@with_project
@with_session
def show(session: Session, *, name: str | None) -> None:
    """Show the template NAME, or NAME@N for one of its versions; without NAME, list them."""
    if not name:
        _list(session)
        return
    wanted, number = split_version(name)
    view = session.client.templates.find(wanted, number=number)
    if session.as_json:
        session.show_json(view)
    else:
        _show_one(view)


@templates.command("list")
@with_project
@with_session
def list_templates(session: Session) -> None:
    """List templates."""
    _list(session)


@templates.command("push")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Its name; default: the job's, else the file's.")
@with_project
@with_session
def push(session: Session, *, file: Path, name: str | None) -> None:
    """Keep the job FILE as a template. Pushed again with a change, it is the next version."""
    from gigawatt.sdk.jobfile import template_ready

    written = _read(file)
    view = session.client.templates.push(name or _name(written, file), template_ready(written))
    if session.as_json:
        session.show_json(view)
    else:
        click.echo(f"{view['name']}@{view['newest']}")


@templates.command("delete")
@click.argument("name", shell_complete=template_names)
@with_project
@with_session
def delete(session: Session, *, name: str) -> None:
    """Delete the template NAME with all its versions. Jobs and schedules that were made of it stay."""
    session.client.templates.remove(name)
    session.say(f"template {name} is deleted")


def _read(file: Path) -> "Written":
    """The one job of a file. Raises RefusalError."""
    from gigawatt.model.refusal import RefusalCode, RefusalError
    from gigawatt.sdk.jobfile import read_file

    found = read_file(file)
    if len(found) != 1 or found[0].kind != "job":
        detail = f"{file} does not hold one job but {', '.join(each.kind for each in found)}"
        hint = "a template is one job; push each by itself"
        raise RefusalError(RefusalCode.INVALID, detail, field="file", hint=hint)
    return found[0]


def _name(written: "Written", file: Path) -> str:
    name = written.fields.get("name")
    return name if isinstance(name, str) and "${{" not in name else file.stem


def _list(session: Session) -> None:
    page = session.client.templates.page()
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import Column, show_table

    if not page["items"]:
        session.say("no templates yet: gw templates push FILE")
        return
    columns = [
        Column(name="NAME", style="bold"),
        Column(name="VERSION", right=True),
        Column(name="CHANGED", right=True),
    ]
    rows = [
        [each["name"], str(each["newest"]), form.age(each["updated_ms"], session.now_ms)]
        for each in page["items"]
    ]
    show_table(columns, rows)


def _show_one(view: "TemplateView") -> None:
    import json

    from gigawatt.cli.style import show_fields, show_heading

    show_fields(
        [
            ("name", view["name"]),
            ("version", f"{view['number']} of {view['newest']}"),
            ("pushed by", view["by"]),
        ]
    )
    if view["parameters"]:
        show_heading("parameters")
        _show_parameters(view["parameters"])
    show_heading("file")
    shown = {name: each for name, each in (view["file"] or {}).items() if name != "parameters"}
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False))


def _show_parameters(parameters: "Sequence[ParameterView]") -> None:
    from gigawatt.cli.style import Column, show_table

    columns = [
        Column(name="NAME", style="bold"),
        Column(name="TYPE"),
        Column(name="DEFAULT"),
        Column(name="ALLOWED"),
        Column(name="ABOUT", wraps=True),
    ]
    rows = [
        [
            each["name"],
            each["type"],
            form.NOTHING if each["default"] is None else _text(each["default"]),
            _allowed(each),
            each["description"],
        ]
        for each in parameters
    ]
    show_table(columns, rows)


def _allowed(parameter: "ParameterView") -> str:
    if parameter["choices"]:
        return ", ".join(_text(each) for each in parameter["choices"])
    low, high = parameter["min"], parameter["max"]
    if low is None and high is None:
        return ""
    return (
        f"{'' if low is None else form.amount(low)} … {'' if high is None else form.amount(high)}"
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
