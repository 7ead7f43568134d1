"""Terminals and long-running commands for tests: a command in a pseudo-terminal of its own, typed into and read."""

import os
import pty
import signal
import socket
import struct
import subprocess
import termios
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from fcntl import ioctl

from benchmarks.instance import GW, Instance

from tests.waiting import until

WAIT_S = 60.0


class AtTerminal:
    """A command of ours that has a terminal."""

    def __init__(self, instance: Instance, *args: str, rows: int = 30, columns: int = 100) -> None:
        self.master, theirs = pty.openpty()
        self.resize(rows, columns, tell=False)
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs
        self.process = subprocess.Popen(
            [*GW, *args],
            env={**instance.environ(), "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.set_blocking(self.master, False)
        self.seen = b""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def shows(self, text: str) -> bool:
        with suppress(BlockingIOError):
            self.seen += os.read(self.master, 65_536)
        return text.encode() in self.seen

    def wait_for(self, text: str) -> None:
        until(lambda: self.shows(text), timeout_s=WAIT_S, what=f"{text!r} in {self.seen!r}")

    def resize(self, rows: int, columns: int, *, tell: bool = True) -> None:
        ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    def ended(self) -> int:
        """Its exit code."""
        until(
            lambda: self.shows("\0never") or self.process.poll() is not None,
            timeout_s=WAIT_S,
            what="its end",
        )
        return self.process.wait()

    def is_as_before(self) -> bool:
        """Whether the terminal was given back as it had been."""
        return termios.tcgetattr(self._theirs) == self.before

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self._theirs)


@contextmanager
def at_terminal(instance: Instance, *args: str) -> Generator[AtTerminal]:
    opened = AtTerminal(instance, *args)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def started(
    instance: Instance, *args: str, environ: Mapping[str, str] | None = None
) -> Generator["subprocess.Popen[str]"]:
    """A command that goes on, with pipes."""
    process = subprocess.Popen(
        [*GW, *args],
        env={**instance.environ(), **(environ or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def asked(port: int, data: bytes) -> bytes:
    """What a port answers to something and the end of it."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as peer:
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        return peer.makefile("rb").read()
