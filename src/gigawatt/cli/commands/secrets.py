"""`gw secrets`: what private indexes are entered with, by name. Values are read from stdin and never printed."""

import sys

import click

from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_project, with_session


@click.group("secrets", cls=NounGroup)
def secrets() -> None:
    """List, set and remove a project's secrets. `gw secrets` lists."""


@secrets.command("show")
@with_project
@with_session
def show(session: Session) -> None:
    """List secrets: names, and the addresses that they are for."""
    page = session.client.secrets.page()
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import Column, show_table

    if not page["items"]:
        session.say("no secrets yet: gw secrets set NAME --for URL")
        return
    columns = [Column(name="NAME", style="bold"), Column(name="FOR")]
    show_table(columns, [[each["name"], each["url"]] for each in page["items"]])


@secrets.command("set")
@click.argument("name")
@click.option(
    "--for", "url", required=True, metavar="URL", help="Send it below this address alone."
)
@with_project
@with_session
def put(session: Session, *, name: str, url: str) -> None:
    """Keep a secret under NAME: `user:password` or a token, read from stdin, where a terminal asks for it."""
    if sys.stdin.isatty():
        value = str(click.prompt("secret", hide_input=True, err=True))
    else:
        value = sys.stdin.read().rstrip("\r\n")
    view = session.client.secrets.put(name, value, url=url)
    if session.as_json:
        session.show_json(view)
    session.say(f"secret {name} is kept, for {url}")


@secrets.command("remove")
@click.argument("name")
@with_project
@with_session
def remove(session: Session, *, name: str) -> None:
    """Forget the secret NAME. Environments that were built with it stay."""
    session.client.secrets.remove(name)
    session.say(f"secret {name} is forgotten")
