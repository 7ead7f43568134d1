"""Asks a replica over HTTP whether it can serve, and tells when the answer changes."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from gigawatt.engine.supervisor.loop import READ, WRITE, Loop, Timer
from gigawatt.engine.supervisor.spec import ReadinessSpec

ANSWER_S_MAX = 5.0
ANSWER_BYTES_MAX = 4096
INTERVAL_S_WHEN_READY = 1.0  # at least; a replica that serves has better things to do
FAILURES_TO_UNREADY = 3  # a busy server may be late; one that refuses connections is not there


class Readiness:
    """Calls `on_change(ready, detail)` at every change, from not ready on."""

    def __init__(
        self,
        loop: Loop,
        spec: ReadinessSpec,
        port: int,
        on_change: Callable[[bool, str], None],
    ) -> None:
        self._loop = loop
        self._spec = spec
        self._port = port
        self._on_change = on_change
        self._ready = False
        self._failures = 0
        self._sock: socket.socket | None = None
        self._answer = b""
        self._timer: Timer | None = None
        self._closed = False

    def ask(self) -> None:
        """Begin one question; the next follows by itself."""
        self._answer = b""
        self._sock = sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(0)
        self._timer = self._loop.later(ANSWER_S_MAX, lambda: self._failed("no answer in time"))
        code = sock.connect_ex(("127.0.0.1", self._port))
        if code in {0, errno.EINPROGRESS}:
            self._loop.watch(sock.fileno(), WRITE, lambda _: self._connected())
        else:
            self._failed(os.strerror(code))

    def close(self) -> None:
        self._closed = True
        self._hang_up()

    def _connected(self) -> None:
        assert self._sock is not None
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._failed(os.strerror(code), refused=code == errno.ECONNREFUSED)
            return
        host = f"127.0.0.1:{self._port}"
        request = f"GET {self._spec.path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        try:
            self._sock.send(request.encode())
        except OSError as error:
            self._failed(str(error))
            return
        self._loop.watch(self._sock.fileno(), READ, lambda _: self._read())

    def _read(self) -> None:
        assert self._sock is not None
        try:
            data = self._sock.recv(ANSWER_BYTES_MAX)
        except OSError as error:
            self._failed(str(error))
            return
        self._answer += data
        line, newline, _ = self._answer.partition(b"\r\n")
        if not newline and data and len(self._answer) < ANSWER_BYTES_MAX:
            return
        words = line.split(maxsplit=2)
        if len(words) >= 2 and words[0].startswith(b"HTTP/") and words[1].startswith(b"2"):
            self._succeeded()
        else:
            self._failed(f"GET {self._spec.path}: {line.decode(errors='replace')[:200]}")

    def _succeeded(self) -> None:
        self._failures = 0
        if not self._ready:
            self._ready = True
            self._on_change(True, "")  # noqa: FBT003 - the one thing it tells
        self._again()

    def _failed(self, detail: str, *, refused: bool = False) -> None:
        self._failures += 1
        if self._ready and (refused or self._failures >= FAILURES_TO_UNREADY):
            self._ready = False
            self._on_change(False, detail)  # noqa: FBT003 - the one thing it tells
        self._again()

    def _again(self) -> None:
        self._hang_up()
        if not self._closed:
            least_s = INTERVAL_S_WHEN_READY if self._ready else 0.0
            self._timer = self._loop.later(max(self._spec.interval_s, least_s), self.ask)

    def _hang_up(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._sock is not None:
            self._loop.unwatch(self._sock.fileno())
            self._sock.close()
            self._sock = None
