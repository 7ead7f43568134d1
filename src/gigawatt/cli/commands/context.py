"""`gw context`: the instances that `gw login` has stored, and which of them is asked."""

import json
import os
from typing import TYPE_CHECKING

import click

from gigawatt.cli.complete import context_names
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.contexts import Context


@click.group("context", cls=NounGroup)
def context() -> None:
    """List, choose, show and remove instances. `gw context` shows the one that is asked."""


@context.command("list")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
def list_contexts(*, output: str) -> None:
    """List what is stored, without keys; `local` is the instance on this machine."""
    from gigawatt.sdk.contexts import LOCAL, contexts_path, read_contexts

    stored = read_contexts(contexts_path(os.environ))
    current = stored.current or LOCAL
    if output == "json":
        items = [_view(each, current) for each in stored.known]
        click.echo(json.dumps({"items": items, "next": ""}, indent=2, ensure_ascii=False))
        return
    from gigawatt.cli.style import Column, show_table

    columns = [
        Column(name="", style="green"),
        Column(name="NAME", style="bold"),
        Column(name="API"),
        Column(name="USER"),
        Column(name="ROLE"),
        Column(name="TENANT"),
    ]
    rows = [
        [
            "*" if each.name == current else "",
            each.name,
            each.api_url,
            each.user,
            each.role,
            each.tenant,
        ]
        for each in stored.known
    ]
    show_table(
        columns, [["*" if current == LOCAL else "", LOCAL, "this machine's", "", "", ""], *rows]
    )


@context.command("use")
@click.argument("name", shell_complete=context_names)
def use(*, name: str) -> None:
    """Ask NAME from now on, where nothing else is named; `local` is the instance on this machine."""
    from gigawatt.sdk.contexts import ENV_CONTEXT, contexts_path, read_contexts, write_contexts

    path = contexts_path(os.environ)
    write_contexts(path, read_contexts(path).using(name))
    click.echo(f"context {name} is in use", err=True)
    for variable in ("GIGAWATT_API", ENV_CONTEXT, "GIGAWATT_DATA"):
        if os.environ.get(variable):
            click.echo(f"{variable} is set in this shell, and wins over it", err=True)


@context.command("show")
@click.argument("name", required=False, default="", shell_complete=context_names)
@with_session
def show(session: Session, *, name: str) -> None:
    """Show the instance that a command would ask here, and why; with NAME, the one that is stored so."""
    if name and name != "local":
        from gigawatt.sdk.contexts import contexts_path, read_contexts

        stored = read_contexts(contexts_path(os.environ))
        shown = _view(stored.find(name), stored.current)
    else:
        from gigawatt.sdk.client import Client

        with Client(context=name) if name else session.client as client:
            address = client.address
        shown = {"api_url": address.api_url, "source": address.source, "key": bool(address.token)}
    if session.as_json:
        session.show_json(shown)
        return
    from gigawatt.cli.style import show_fields

    show_fields([(field, _text(value)) for field, value in shown.items()])


@context.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME…", shell_complete=context_names)
def remove(*, names: tuple[str, ...]) -> None:
    """Forget contexts and their keys. The keys themselves stay valid: `gw keys revoke` ends that."""
    from gigawatt.sdk.contexts import contexts_path, read_contexts, write_contexts

    path = contexts_path(os.environ)
    stored = read_contexts(path)
    for name in names:
        stored = stored.without(name)
    write_contexts(path, stored)
    for name in names:
        click.echo(f"context {name} is forgotten", err=True)


def _view(each: "Context", current: str) -> dict[str, str | bool]:
    """What may be shown of a context: all but its key."""
    return {
        "name": each.name,
        "api_url": each.api_url,
        "user": each.user,
        "role": each.role,
        "tenant": each.tenant,
        "current": each.name == current,
    }


def _text(value: str | bool) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else value
