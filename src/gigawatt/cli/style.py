"""What people see: consoles, phases in colour, tables. rich is loaded here and nowhere else on the way to a command."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gigawatt.cli import format as form

PHASES = {
    "running": "green",
    "ready": "green",
    "succeeded": "green dim",
    "passed": "green",
    "useful": "green",
    "serving": "green",
    "starting": "cyan",
    "preparing": "cyan",
    "building": "cyan",
    "placed": "cyan",
    "valid": "green",
    "invalid": "red",
    "removing": "dim",
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
    "unsupported": "dim",
    "zero": "dim",
    "ended": "dim",
}
DIM = "dim"
GAP = 2
CUT_MIN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`phase` colours each cell by what it says.

    In a terminal, `cut` cells lose their end where there is no room for it, `wraps` cells take more lines; all others
    are whole.
    """

    name: str
    style: str = ""
    right: bool = False
    phase: bool = False
    cut: bool = False
    wraps: bool = False


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
    console.print(rich_table(columns, rows, width=console.width))


def rich_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int) -> Table:
    """The same table for a terminal of `width` columns."""
    table = Table(
        box=None, show_edge=False, pad_edge=False, padding=(0, GAP, 0, 0), header_style=""
    )
    for column in columns:
        table.add_column(
            Text(column.name, style=DIM),
            style=column.style,
            justify="right" if column.right else "left",
            no_wrap=not (column.wraps or column.cut),
            overflow="fold",
        )
    room = _room(columns, rows, width)
    for row in rows:
        table.add_row(*(_cell(text, each, room) for text, each in zip(row, columns, strict=True)))
    return table


def show_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Names and values, one a line; empty values are left out."""
    console = stdout()
    kept = [(name, value) for name, value in fields if value]
    width = max((len(name) for name, _ in kept), default=0)
    for name, value in kept:
        label = (name.ljust(width + 2), DIM)
        console.print(Text.assemble(label, (value, PHASES.get(value, ""))), soft_wrap=True)


def show_heading(text: str) -> None:
    """A blank line and a title, before a part of what a command prints."""
    stdout().print(Text(f"\n{text}", style="bold"), soft_wrap=True)


def _room(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> int:
    """What the columns that must be whole leave to one that may be cut."""
    whole = [
        max(cell_len(cell) for cell in (column.name, *(row[index] for row in rows)))
        for index, column in enumerate(columns)
        if not column.cut
    ]
    return max(CUT_MIN, width - sum(whole) - GAP * len(columns))


def _cell(text: str, column: Column, room: int) -> Text:
    if column.phase:
        return phase_text(text)
    cell = Text(text)
    if column.cut:
        cell.truncate(room, overflow="ellipsis")
    return cell
