"""`gw projects`: holders of work within a tenant."""

import click

from gigawatt.cli import format as form
from gigawatt.cli.allowance import named_amounts, show_allowance, with_allowance
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_session


@click.group("projects", cls=NounGroup)
def projects() -> None:
    """List, create and limit projects. `gw projects` lists."""


@projects.command("show")
@with_session
def show(session: Session) -> None:
    """List projects."""
    page = session.client.projects.page()
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import Column, show_table

    columns = [Column(name="NAME", style="bold"), Column(name="TENANT"), Column(name="AGE")]
    rows = [
        [each["name"], each["tenant"], form.age(each["created_ms"], session.now_ms)]
        for each in page["items"]
    ]
    show_table(columns, rows)


@projects.command("create")
@click.argument("name")
@with_session
def create(session: Session, *, name: str) -> None:
    """Create the project NAME."""
    view = session.client.projects.create(name)
    if session.as_json:
        session.show_json(view)
    else:
        session.say(f"project {view['tenant']}/{view['name']} is there")


@projects.command("limit")
@click.argument("name")
@with_allowance
@with_session
def limit(session: Session, *, name: str, **amounts: int | None) -> None:
    """Say what all keys together may have of the endpoints of NAME; what is not named stays as it is."""
    named = named_amounts(amounts)
    show_allowance(session, session.client.usage.allow_project(name, **named))
