"""Groups of commands: one that knows its commands by name alone and loads them when used, one that reads as a noun."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


UNREAD = 141
SHOW = "show"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A command of the table: where it is, and what help says of it without loading it."""

    module: str
    attribute: str
    about: str


class LazyGroup(click.Group):
    """Commands by section and name. Its help and its version load none of them."""

    def __init__(
        self, name: str, *, sections: Mapping[str, Mapping[str, Entry]], **settings: Any
    ) -> None:
        super().__init__(name, **settings)
        self._sections = sections
        self._entries = {each: entry for held in sections.values() for each, entry in held.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        return getattr(import_module(entry.module), entry.attribute)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self._entries and not args[0].startswith("-"):
            raise click.exceptions.NoSuchCommand(args[0], possibilities=self._entries, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, held in self._sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(each.ljust(_WIDEST), entry.about) for each, entry in held.items()]
                )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        found: list[CompletionItem] = [
            CompletionItem(each, help=entry.about)
            for each, entry in self._entries.items()
            if each.startswith(incomplete)
        ]
        return found or click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            ctx.exit(_unread())

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and leave with the exit code that says how it went, after at most a few clear lines."""
        extra.update(args=args, prog_name=prog_name or "gw", complete_var=complete_var)
        try:
            code = super().main(standalone_mode=False, **extra)
        except BaseException as error:  # noqa: BLE001 - the outermost edge: everything is told or raised
            from gigawatt.cli.failure import exit_code_of

            code = exit_code_of(error)
        sys.exit(code if isinstance(code, int) else 0)


class NounGroup(click.Group):
    """`gw NOUN [NAME]` shows, `gw NOUN VERB …` acts. `show` is the verb that may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        known = first in self.commands or first in self.get_help_option_names(ctx)
        if known or ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        if len(args) > 1 and not any(each.startswith("-") for each in args[:2]):
            raise click.exceptions.NoSuchCommand(first, possibilities=self.commands, ctx=ctx)
        return super().parse_args(ctx, [SHOW, *args])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Verbs, and the names and options that `show` takes."""
        found = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            return found + self.commands[SHOW].shell_complete(ctx, incomplete)
        for parameter in self.commands[SHOW].params:
            if isinstance(parameter, click.Argument):
                found += parameter.shell_complete(ctx, incomplete)
        return found


def _unread() -> int:
    """Nobody reads the output: let nothing complain of it when Python ends. As a filter that SIGPIPE ended."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    return UNREAD


_WIDEST = 13
