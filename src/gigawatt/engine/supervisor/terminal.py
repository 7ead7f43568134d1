"""A pseudo-terminal: the end that a process has, and ours."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from typing import NamedTuple

SIDE_MAX = 10_000  # rows or columns; more is nobody's window


class Size(NamedTuple):
    rows: int
    columns: int


class Terminal(NamedTuple):
    """`ours` is the master's end; `theirs` is closed once the process has it."""

    ours: int
    theirs: int


def open_terminal(size: Size) -> Terminal:
    """Raises OSError where the machine has no more of them."""
    terminal = Terminal(*os.openpty())
    resize(terminal.ours, size)
    return terminal


def resize(fd: int, size: Size) -> None:
    """Tell it how large its window is; whoever is in the foreground gets SIGWINCH. Raises OSError."""
    rows, columns = (min(max(side, 1), SIDE_MAX) for side in size)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def foreground(fd: int) -> int:
    """The process group in its foreground; 0 where there is none."""
    try:
        return max(os.tcgetpgrp(fd), 0)
    except OSError:
        return 0
