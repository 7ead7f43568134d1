"""The whole surface: every command, argument and option, with what help says of it. It changes on purpose alone.

Write it anew with `GIGAWATT_REWRITE=1 pytest tests/surface/cli/test_frozen.py`.
"""

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

from gigawatt.cli.app import SECTIONS, app

GOLDEN = Path(__file__).with_name("surface.golden.txt")


def test_the_surface_is_the_one_on_record() -> None:
    surface = "\n".join(told(app, "gw")) + "\n"
    if os.environ.get("GIGAWATT_REWRITE"):
        GOLDEN.write_text(surface)
    assert surface == GOLDEN.read_text()


def test_the_table_of_commands_names_what_is_there() -> None:
    for entries in SECTIONS.values():
        for name, entry in entries.items():
            command = getattr(import_module(entry.module), entry.attribute)
            assert isinstance(command, click.Command)
            assert command.name == name
            assert command.help


def told(command: click.Command, path: str) -> Iterator[str]:
    """A command, its parameters and its subcommands, a line each."""
    context = click.Context(command, info_name=path)
    yield f"{path}: {command.get_short_help_str(limit=200)}"
    for parameter in command.params:
        yield f"    {described(parameter, context)}"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from told(inner, f"{path} {name}")


def described(parameter: click.Parameter, context: click.Context) -> str:
    """One parameter: how it is written, how often, and what it is."""
    if isinstance(parameter, click.Option):
        record = parameter.get_help_record(context)
        spelled, about = record or ("/".join(parameter.opts), "")
        return f"{spelled}{' (repeatable)' if parameter.multiple else ''}: {about}".rstrip(": ")
    return parameter.make_metavar(context)
