"""`gw secrets`: what ranks are given and private indexes are entered with, by name. Values are read from stdin and never printed."""

import sys
from typing import TYPE_CHECKING

import click

from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.views import SecretView


@click.group("secrets", cls=NounGroup)
def secrets() -> None:
    """List, set and remove a project's secrets. `gw secrets` lists."""


@secrets.command("show")
@with_project
@with_session
def show(session: Session) -> None:
    """List secrets: names, and what they are for."""
    page = session.client.secrets.page()
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import Column, show_table

    if not page["items"]:
        session.say("no secrets yet: gw secrets set NAME")
        return
    columns = [Column(name="NAME", style="bold"), Column(name="FOR")]
    show_table(columns, [[each["name"], _for(each)] for each in page["items"]])


@secrets.command("set")
@click.argument("name")
@click.option(
    "--for",
    "url",
    default="",
    metavar="URL",
    help="Send it below this address alone; without, it is for ranks, and sent nowhere.",
)
@with_project
@with_session
def put(session: Session, *, name: str, url: str) -> None:
    """Keep a secret under NAME, read from stdin, where a terminal asks for it; for a URL, `user:password` or a token.

    A job is given it by `secrets: {VARIABLE: NAME}`, or `gw run --secret VARIABLE=NAME`.
    """
    if sys.stdin.isatty():
        value = str(click.prompt("secret", hide_input=True, err=True))
    else:
        value = sys.stdin.read().rstrip("\r\n")
    view = session.client.secrets.put(name, value, url=url)
    if session.as_json:
        session.show_json(view)
    session.say(f"secret {name} is kept, for {url or 'ranks'}")


@secrets.command("rotate-key")
@with_session
def rotate(session: Session) -> None:
    """Seal the secrets of all projects by new keys, and forget the old ones; everything works meanwhile. For operators.

    A key that is kept in a file is made anew; of others, the operator has put a new one first before.
    """
    view = session.client.secrets.rotate()
    if session.as_json:
        session.show_json(view)
    session.say(f"{view['secrets']} secrets are sealed anew; the key is kept by {view['key']}")


@secrets.command("remove")
@click.argument("name")
@with_project
@with_session
def remove(session: Session, *, name: str) -> None:
    """Forget the secret NAME. Environments that were built with it stay."""
    session.client.secrets.remove(name)
    session.say(f"secret {name} is forgotten")


def _for(secret: "SecretView") -> str:
    return secret["fault"] or secret["url"] or "ranks"
