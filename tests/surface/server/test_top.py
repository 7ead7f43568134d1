"""`gw top` in a terminal, over an instance that runs: it follows what happens, takes keys, and gives the terminal back."""

import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.http import Api
from benchmarks.instance import GW, Instance, start, stop

from gigawatt import clock
from tests.surface.server.daily import end
from tests.surface.server.jobs import python, submit

pytestmark = pytest.mark.slow

PATIENCE_S = 120.0
FOREVER = python("import signal; signal.pause()")


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    data: Path = tmp_path_factory.mktemp("top") / "data"
    try:
        yield start(data, nodes=1)
    finally:
        stop(data)


def test_it_follows_takes_keys_and_gives_the_terminal_back(instance: Instance) -> None:
    api = Api(instance)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 160))
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        [*GW, "top"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**instance.environ(), "TERM": "xterm-256color"},
        close_fds=True,
    )
    try:
        _read_until(ours, "nothing runs")
        job = submit(api, FOREVER, name="seen-by-top")
        _read_until(ours, "seen-by-top")
        os.write(ours, b"/no-such\r")
        _read_until(ours, "nothing that runs is like that")
        os.write(ours, b"\x1b")
        _read_until(ours, "seen-by-top")
        end(api, job)
        os.write(ours, b"q")
        _drain(ours, process)
        assert process.wait(PATIENCE_S) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)
        api.close()


def test_without_a_terminal_it_is_printed_once(instance: Instance) -> None:
    assert "nodes" in instance.gw("top")
    done = subprocess.run(
        [sys.executable, "-m", "gigawatt.cli", "top", "--once"],
        env=instance.environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "running" in done.stdout


def _read_until(terminal: int, wanted: str) -> None:
    text, until_s = "", clock.monotonic_s() + PATIENCE_S
    while wanted not in text:
        left_s = until_s - clock.monotonic_s()
        assert left_s > 0, f"{wanted!r} did not come; last was {text[-2000:]!r}"
        if select.select([terminal], [], [], left_s)[0]:
            text = (text + os.read(terminal, 65_536).decode(errors="replace"))[-200_000:]


def _drain(terminal: int, process: "subprocess.Popen[bytes]") -> None:
    """What is still written, so that it does not wait for a reader."""
    while process.poll() is None:
        if select.select([terminal], [], [], 0.1)[0]:
            os.read(terminal, 65_536)
