"""One run of a command: which API, which output, and the two streams. Options that commands share are here."""

import functools
import json
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click

from gigawatt import clock
from gigawatt.cli.complete import NAMING, context_names

if TYPE_CHECKING:
    from gigawatt.sdk.client import Client

P = ParamSpec("P")
Command = Callable[..., None]
_PROJECT = "gigawatt.project"


class Session:
    """The client is made when it is first asked for, and closed with the session."""

    def __init__(self, *, as_json: bool, named: Mapping[str, Any], project: str) -> None:
        self.as_json = as_json
        self._named = named
        self._project = project

    @cached_property
    def client(self) -> "Client":
        """Raises UnreachableError, RefusalError."""
        from gigawatt.sdk.client import Client

        return Client(**self._named, project=self._project)

    @cached_property
    def now_ms(self) -> int:
        """When this command began, for ages."""
        return clock.now_ms()

    def start_where_none_runs(self) -> None:
        """Start an instance on this machine, as `gw up --detach`, where none is named and none runs. Raises RefusalError."""
        from gigawatt.sdk.errors import UnreachableError

        try:
            self.client.instance()
        except UnreachableError:
            address = self.__dict__.pop("client").address if "client" in self.__dict__ else None
            if any(self._named.values()) or (address is not None and not address.local):
                raise
            from gigawatt import server, settings

            self.say("no instance runs here: starting one (gw down stops it)")
            options = server.UpOptions(settings=settings.from_environment(), detach=True)
            server.up(options, ready=lambda instance: self.say(f"api at {instance.api_url}"))

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()

    def show_json(self, value: object) -> None:
        """The API's JSON, on stdout."""
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))

    def show_json_line(self, value: object) -> None:
        """One value of a stream of them."""
        click.echo(json.dumps(value, ensure_ascii=False))
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """Talk, on stderr; programs that ask for JSON hear nothing."""
        if not self.as_json:
            click.echo(text, err=True)


def with_session(command: Callable[Concatenate[Session, P], None]) -> Command:
    """Give a command its session, and the options `-o`, `--api`, `--data` and `--context` that make it."""

    @click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json"]),
        default="table",
        help="A table for people, or the API's JSON.",
    )
    @click.option("--api", "api_url", metavar="URL", default="", help="Ask this API.")
    @click.option(
        "--data",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Ask the instance whose state is in DIR.",
    )
    @click.option(
        "--context",
        metavar="NAME",
        default="",
        help="Ask the instance that `gw login` stored as NAME.",
        shell_complete=context_names,
    )
    @functools.wraps(command)
    def run(output: str, **rest: Any) -> None:
        project = click.get_current_context().meta.get(_PROJECT, "")
        named = {option: rest.pop(option) for option in NAMING}
        session = Session(as_json=output == "json", named=named, project=project)
        try:
            command(session, **rest)  # pyright: ignore[reportCallIssue] - click passes what its options declare
        finally:
            session.close()

    return run


def with_project(command: Command) -> Command:
    """The option `--project`, for commands that name, list or make what belongs to a project."""
    option = click.option(
        "--project",
        metavar="NAME",
        default="",
        expose_value=False,
        callback=_remember,
        help="In this project; default: GIGAWATT_PROJECT, else the key's.",
    )
    return option(command)


def pairs(values: tuple[str, ...], option: str) -> Mapping[str, str]:
    """`K=V` options as a mapping. Raises click.BadParameter."""
    found: dict[str, str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise click.BadParameter(
                f"{value!r} is not NAME=VALUE", param_hint=option, ctx=click.get_current_context()
            )
        found[name] = text
    return found


def _remember(ctx: click.Context, param: click.Parameter, value: str) -> None:
    ctx.meta[_PROJECT] = value
