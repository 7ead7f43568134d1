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
  gw login https://gpus.example.org --sign-in               by the instance's OpenID provider
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
@click.option("--sign-in", is_flag=True, help="Sign in by the OpenID provider of the instance.")
@click.option("--issuer", default="", metavar="URL", help="Likewise, by this one of several.")
def login(
    *, url: str, name: str, token_file: Path | None, ca: Path | None, sign_in: bool, issuer: str
) -> None:
    """Store the instance at URL with an API key, or with a session, and use it from now on.

    The key is tried first, and nothing is stored if the instance refuses it. An existing context of the same
    instance is given the new key. With --sign-in, what to open in a browser is printed; the session is renewed by itself
    as long as the provider agrees, and `gw logout` ends it.
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
    by_provider = sign_in or bool(issuer)
    if by_provider and token_file:
        raise click.UsageError("--sign-in and --token-file exclude each other")
    context = (
        _signed_in(url, name, issuer, ca)
        if by_provider
        else _checked(url, name, _token(token_file), ca)
    )
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


def _signed_in(url: str, name: str, issuer: str, ca: Path | None) -> "Context":
    """Raises ApiError, UnreachableError, RefusalError."""
    from gigawatt.sdk.instance import Address
    from gigawatt.sdk.sign_in import sign_in

    def tell(where: str, code: str) -> None:
        click.echo(f"open {where} in a browser, and agree to {painted(code, bold=True)}", err=True)

    address = Address(api_url=url, ca=ca.read_text() if ca else "", source="as asked")
    return sign_in(address, issuer=issuer, tell=tell).context(name=name, address=address)


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
