"""Processes that a test has started, found by what is in their environment."""

import os
from pathlib import Path


def marked(variable: str) -> list[int]:
    """Processes with this in the environment that they were started with."""
    found: list[int] = []
    for path in Path("/proc").iterdir():
        if not path.name.isdigit() or int(path.name) == os.getpid():
            continue
        try:
            lives = (path / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
            if lives and variable.encode() in (path / "environ").read_bytes().split(b"\0"):
                found.append(int(path.name))
        except OSError:
            continue
    return found


def send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
