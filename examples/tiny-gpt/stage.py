"""What the demonstration stands on: claims that stop it when they do not hold, commands, and what runs."""

import ast
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

GW = Path(sys.executable).with_name("gw")
INDENT = "    "
WAIT_S = 120  # for anything that is not training or a download


class ClaimError(Exception):
    """Something did not turn out as the demonstration says."""


@dataclass(slots=True, kw_only=True)
class Scene:
    """What every act needs. `pids` are processes that must be gone at the end."""

    console: Console
    data: Path
    pids: set[int] = field(default_factory=set)

    def claim(self, held: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
        """Print what has been shown, or stop."""
        if not held:
            raise ClaimError(what)
        self.console.print(f"  [green]✓[/green] {what}")

    def title(self, text: str) -> None:
        """Head an act."""
        self.console.print(f"\n[bold]{text}[/bold]")

    def gw(self, *words: str) -> None:
        """Run the command line as a person would, and show it."""
        self.console.print(f"  [dim]$ gw {' '.join(words)}[/dim]")
        environ = {**os.environ, "GIGAWATT_DATA": str(self.data)}
        environ["COLUMNS"] = str(self.console.width - len(INDENT))
        if self.console.is_terminal:
            environ["FORCE_COLOR"] = "1"
        done = subprocess.run(
            [GW, *words], env=environ, capture_output=True, text=True, check=False
        )
        self.quote(done.stdout + done.stderr)
        if done.returncode != 0:
            raise ClaimError(f"gw {words[0]} ended with status {done.returncode}")

    def quote(self, text: str) -> None:
        """Print what a program said, indented and as it is."""
        for line in text.splitlines():
            self.console.print(INDENT, Text.from_ansi(line), sep="", soft_wrap=True)


def wait(condition: Callable[[], bool], what: str) -> None:
    """Until the condition holds. Raises TimeoutError."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {WAIT_S} s for {what}")
        time.sleep(0.1)


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def processes_of(data: Path) -> list[str]:
    """Command lines of processes that have the data directory in theirs or in their environment."""
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue  # it has ended, or is another user's
        if os.fsencode(data) in words and alive(int(entry.name)):
            found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def share_that_parses(text: str) -> float:
    """Of the lines that are not empty, the share of those that are Python by themselves; the last may be cut off."""
    lines = [line.strip() for line in text.splitlines()[:-1] if line.strip()]
    return sum(map(_parses, lines)) / len(lines) if lines else 0.0


def _parses(line: str) -> bool:
    if line.endswith(":"):
        line += " pass"
    for before in ("", "if x: pass\n", "try: pass\n"):
        try:
            ast.parse(before + line)
        except SyntaxError:
            continue
        return True
    return False
