"""An operator's own checks: every executable file of a directory. Exit code 0 is ok, 1 warns, anything else fails."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from gigawatt.engine.checks.said import FAIL, OK, WARN, Said

SECONDS_MAX = 120.0
DETAIL_CHARS_MAX = 500
OUTCOMES = {0: OK, 1: WARN}


def programs(directory: Path | None) -> list[Path]:
    """What is to be run, by name. Hidden files are none, nor is what cannot be run."""
    if directory is None or not directory.is_dir():
        return []
    found = [path for path in directory.iterdir() if not path.name.startswith(".")]
    return sorted(path for path in found if path.is_file() and os.access(path, os.X_OK))


def run(program: Path, level: str, *, seconds_max: float = SECONDS_MAX) -> Said:
    """Run one; its last line is what it says."""
    environ = {**os.environ, "GIGAWATT_CHECK_LEVEL": level}
    try:
        running = subprocess.Popen(
            [str(program)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
        )
    except OSError as error:
        return Said(FAIL, f"it cannot be run: {error.strerror}")
    try:
        said, _ = running.communicate(timeout=seconds_max)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)  # with all that it started
        running.communicate()
        return Said(FAIL, f"it did not end in {seconds_max:g} s")
    lines = said.decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    if running.returncode not in OUTCOMES and not last:
        last = f"exit code {running.returncode}"
    return Said(OUTCOMES.get(running.returncode, FAIL), last[:DETAIL_CHARS_MAX])
