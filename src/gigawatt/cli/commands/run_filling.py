"""`--template` and `-p`: what fills in a template of the instance, or a file that declares parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.complete import template_names
from gigawatt.cli.session import Command, pairs

if TYPE_CHECKING:
    from gigawatt.sdk.jobfile import Ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """What `--template` and `-p` say."""

    template: str
    parameters: tuple[str, ...]

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> "Filling":
        """Out of the options of a command."""
        return cls(template=given.pop("template") or "", parameters=given.pop("parameters"))

    def values(self) -> Mapping[str, str]:
        """Raises click.BadParameter."""
        return pairs(self.parameters, "-p")

    def job(self, changes: Mapping[str, Any]) -> "Ready":
        """A job that the instance makes of the template, with these fields changed. Raises click.BadParameter, RefusalError."""
        from gigawatt.sdk.jobfile import TemplateUse, Written, made_ready

        name, number = split_version(self.template)
        use = TemplateUse(name=name, number=number, parameters=self.values())
        written = Written(kind="job", fields=changes, base=Path.cwd())
        return made_ready(written, template=use)


NO_FILLING = Filling(template="", parameters=())


def split_version(reference: str) -> tuple[str, int]:
    """`train@3` is version 3 of `train`; without one, 0 is the newest. Raises click.BadParameter."""
    name, at, number = reference.partition("@")
    if at and not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise click.BadParameter(f"{reference!r} is not NAME or NAME@NUMBER")
    return name, int(number or 0)


def filling_options(command: Command) -> Command:
    """The options that fill in a template, or a file with parameters."""
    template = click.option(
        "--template",
        metavar="NAME[@N]",
        help="Submit what the instance makes of this template.",
        shell_complete=template_names,
    )
    value = click.option(
        "-p",
        "--parameter",
        "parameters",
        multiple=True,
        metavar="NAME=VALUE",
        help="A value for a parameter that the file or template declares.",
    )
    return template(value(command))
