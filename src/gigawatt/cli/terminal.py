"""This side of a talk: the terminal made raw and given back, what is typed, the window's size, and signals."""

import asyncio
import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gigawatt.spec.talk import ERRORS, FRAME_BYTES, OUTPUT

if TYPE_CHECKING:
    from gigawatt.sdk.live import Window
    from gigawatt.sdk.talks import Talk

STDIN, STDOUT, STDERR = 0, 1, 2
DETACH = b"\x10\x11"  # Ctrl-P Ctrl-Q
SIGNALLED = 128  # as a shell: and the signal's number
CONTROL_P = DETACH[:1]


class DetachedError(Exception):
    """The person left with the detach keys; what they talked to goes on."""


class DetachKeys:
    """Finds Ctrl-P Ctrl-Q in what is typed, also when they come apart."""

    def __init__(self) -> None:
        self._held = b""

    def pass_on(self, typed: bytes) -> tuple[bytes, bool]:
        """What goes on, and whether the keys were there."""
        data = self._held + typed
        before, keys, _ = data.partition(DETACH)
        if keys:
            return before, True
        self._held = CONTROL_P if data.endswith(CONTROL_P) else b""
        return data[: len(data) - len(self._held)], False


def window() -> "Window":
    """Of this terminal."""
    from gigawatt.sdk.live import Window

    rows, columns = termios.tcgetwinsize(STDIN)
    term = os.environ.get("TERM", "")
    return Window(rows=rows or 24, columns=columns or 80, term=term or "xterm")


@contextmanager
def raw_terminal() -> Generator[None]:
    """Every key goes through as it is; given back as it was, however this ends."""
    before = termios.tcgetattr(STDIN)
    tty.setraw(STDIN, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(STDIN, termios.TCSADRAIN, before)


async def converse(
    talking: "Talk",
    *,
    keys: DetachKeys | None = None,
    terminal: bool = False,
    typed: bool = True,
    signals: tuple[str, ...] = (),
    begun: Callable[[], None] = lambda: None,
) -> int | None:
    """Talk until it is over: the exit code. `begun` is called once signals are passed on.

    Raises DetachedError, ApiError, UnreachableError.
    """
    loop = asyncio.get_running_loop()
    left: asyncio.Future[None] = loop.create_future()
    kept: set[asyncio.Task[None]] = set()

    def soon(work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.ensure_future(work())
        kept.add(task)
        task.add_done_callback(kept.discard)

    if terminal:
        loop.add_signal_handler(signal.SIGWINCH, soon, lambda: _tell_size(talking))
    for name in signals:
        number = signal.Signals[f"SIG{name}"]
        loop.add_signal_handler(number, soon, lambda name=name: talking.signal(name))
    begun()
    if typed:
        _Typing(talking, keys, left).start()
    try:
        return await _over(talking, left)
    finally:
        if terminal:
            loop.remove_signal_handler(signal.SIGWINCH)
        for name in signals:
            loop.remove_signal_handler(signal.Signals[f"SIG{name}"])


def status(code: int | None) -> int:
    """An exit code as a shell gives it."""
    if code is None:
        return 0
    return code if code >= 0 else SIGNALLED - code


async def _over(talking: "Talk", left: "asyncio.Future[None]") -> int | None:
    with ThreadPoolExecutor(2, thread_name_prefix="gw-output") as writers:
        shown = [
            asyncio.create_task(_show(talking, channel, fd, writers))
            for channel, fd in ((OUTPUT, STDOUT), (ERRORS, STDERR))
        ]
        ended = asyncio.create_task(talking.wait())
        try:
            pending: set[asyncio.Future[Any]] = {ended, left, *shown}
            while pending != {left} and not left.done():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    each.result()
            if left.done():
                raise DetachedError
            return ended.result()
        finally:
            for task in (ended, *shown):
                task.cancel()
            await asyncio.gather(ended, *shown, return_exceptions=True)


async def _show(talking: "Talk", channel: int, fd: int, writers: ThreadPoolExecutor) -> None:
    """Written in a thread: a pager that is paused must not keep us from answering the other side."""
    loop = asyncio.get_running_loop()
    while data := await talking.read(channel):
        await loop.run_in_executor(writers, _write_all, fd, data)


async def _tell_size(talking: "Talk") -> None:
    size = window()
    await talking.resize(size.rows, size.columns)


class _Typing:
    """Reads standard input in a thread, whatever it is, and sends it; ends with the program."""

    def __init__(
        self, talking: "Talk", keys: DetachKeys | None, left: "asyncio.Future[None]"
    ) -> None:
        self._talking = talking
        self._keys = keys
        self._left = left
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        threading.Thread(target=self._run, name="gw-input", daemon=True).start()

    def _run(self) -> None:
        try:
            while data := os.read(STDIN, FRAME_BYTES):
                go, leave = self._keys.pass_on(data) if self._keys else (data, False)
                self._call(self._talking.write(go))
                if leave:
                    self._loop.call_soon_threadsafe(self._leave)
                    return
            self._call(self._talking.end())
        except Exception:  # noqa: BLE001 - whoever waits for the talk learns what is wrong with it
            return

    def _call(self, work: Awaitable[None]) -> None:
        asyncio.run_coroutine_threadsafe(_awaited(work), self._loop).result()

    def _leave(self) -> None:
        if not self._left.done():
            self._left.set_result(None)


async def _awaited(work: Awaitable[None]) -> None:
    await work


def _write_all(fd: int, data: bytes) -> None:
    sys.stdout.flush()
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
