"""`gw login`: the address and key of an instance are checked, then stored under a name."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigawatt.cli.colour import painted

if TYPE_CHECKING:
    from gigawatt.sdk.contexts import Context

EXAMPLES = """\b
Examples:
  gw login https://gpus.example.org                         asks for the key, and does not show it
  gw login https://gpus.example.org --name prod --token-file key
  pass show gigawatt | gw login https://gpus.example.org    a key on stdin
"""


@click.command("login", epilog=EXAMPLES)
@click.argument("url")
@click.option("--name", default="", help="The context's name; default: made from the host.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="Read the key from this file; default: stdin, or a prompt that shows nothing.",
)
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What the instance's certificate is believed by, PEM: its DATA/tls/ca.pem, for `gw up --tls`.",
)
def login(*, url: str, name: str, token_file: Path | None, ca: Path | None) -> None:
    """Store the instance at URL with an API key, and use it from now on.

    The key is tried first, and nothing is stored if the instance refuses it. An existing context of the same
    instance is given the new key.
    """
    from gigawatt.sdk.contexts import context_name, contexts_path, in_the_clear
    from gigawatt.sdk.contexts import read_contexts as read
    from gigawatt.sdk.contexts import write_contexts as write

    url = url.rstrip("/")
    path = contexts_path(os.environ)
    before, name = read(path), context_name(name, url)
    if in_the_clear(url):
        warning = painted("warning", "yellow", bold=True)
        click.echo(f"{warning}: http to another machine: the key travels unencrypted", err=True)
    context = _checked(url, name, _token(token_file), ca)
    write(path, before.having(context).using(name))
    click.echo(f"{context.user} ({context.role}) of {context.tenant} at {url}", err=True)
    click.echo(f"context {name} is in use; back to this machine's: gw context use local", err=True)


def _token(file: Path | None) -> str:
    """The key, from wherever it is kept. Raises RefusalError, click.Abort."""
    from gigawatt.model.refusal import RefusalCode, RefusalError
    from gigawatt.sdk.requirements import read_text

    if file is not None:
        text = read_text(file, field="token-file")
    elif sys.stdin.isatty():
        text = click.prompt("API key", hide_input=True, err=True)
    else:
        text = sys.stdin.read()
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        detail = "what was given is no API key: one line without spaces"
        hint = "`gw keys create NAME` on that instance prints one"
        raise RefusalError(RefusalCode.INVALID, detail, field="token", hint=hint)
    return token


def _checked(url: str, name: str, token: str, ca: Path | None) -> "Context":
    """The context, after the instance has taken its key. Raises ApiError, UnreachableError."""
    from gigawatt.sdk.client import Client
    from gigawatt.sdk.contexts import Context
    from gigawatt.sdk.instance import ENV_CA_FILE

    environ = {ENV_CA_FILE: str(ca)} if ca else {}
    with Client(url, token, environ=environ) as client:
        caller = client.whoami()
    return Context(
        name=name,
        api_url=url,
        token=token,
        user=caller["name"],
        role=caller["role"],
        tenant=caller["tenant"],
        ca=client.address.ca,
    )
