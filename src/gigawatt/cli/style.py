"""What people see: consoles, phases in colour, tables. rich is loaded here and nowhere else on the way to a command."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gigawatt.cli import format as form

PHASES = {
    "running": "green",
    "ready": "green",
    "succeeded": "green dim",
    "useful": "green",
    "serving": "green",
    "starting": "cyan",
    "preparing": "cyan",
    "building": "cyan",
    "placed": "cyan",
    "saving": "cyan",
    "queued": "yellow",
    "blocked": "yellow",
    "cordoned": "yellow",
    "draining": "yellow",
    "stopping": "yellow",
    "failed": "red",
    "down": "red",
    "cancelled": "dim",
    "stopped": "dim",
    "zero": "dim",
    "ended": "dim",
}
DIM = "dim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`style` of the cells; `phase` colours each cell by what it says; `grows` takes what room is left."""

    name: str
    style: str = ""
    right: bool = False
    phase: bool = False
    grows: bool = False


def stdout() -> Console:
    return Console(file=sys.stdout, highlight=False, soft_wrap=False)


def stderr() -> Console:
    return Console(file=sys.stderr, highlight=False, soft_wrap=False)


def is_live() -> bool:
    """Whether someone watches stderr in a terminal that can redraw."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") != "dumb"


def phase_text(phase: str) -> Text:
    return Text(phase, style=PHASES.get(phase, ""))


def show_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout: fitted and coloured in a terminal, whole and plain in a pipe."""
    console = stdout()
    if not console.is_terminal:
        names, right = [each.name for each in columns], [each.right for each in columns]
        sys.stdout.write(form.table(names, rows, right=right) + "\n")
        return
    console.print(rich_table(columns, rows))


def rich_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Table:
    """The same table for a terminal."""
    table = Table(box=None, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(
            Text(column.name, style=DIM),
            style=column.style,
            justify="right" if column.right else "left",
            no_wrap=not column.grows,
            overflow="ellipsis" if not column.grows else "fold",
        )
    for row in rows:
        table.add_row(
            *(
                phase_text(cell) if column.phase else Text(cell)
                for cell, column in zip(row, columns, strict=True)
            )
        )
    return table


def show_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Names and values, one a line; empty values are left out."""
    console = stdout()
    kept = [(name, value) for name, value in fields if value]
    width = max((len(name) for name, _ in kept), default=0)
    for name, value in kept:
        line = Text(name.ljust(width + 2), style=DIM)
        line.append(Text(value, style=PHASES.get(value, "not dim")))
        console.print(line, soft_wrap=True)


def show_heading(text: str) -> None:
    """A blank line and a title, before a part of what a command prints."""
    stdout().print(Text(f"\n{text}", style="bold"), soft_wrap=True)
