"""The event loop: file descriptors, timers and ended children. It sleeps until one of them has something to say."""

from __future__ import annotations

import heapq
import os
import selectors
import signal
import time
from collections.abc import Callable

from gigawatt.engine.supervisor.notes import Notes
from gigawatt.engine.supervisor.times import Clock

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


CLOCK = Clock()  # of this process


def now_ms() -> int:
    """Milliseconds since the Unix epoch, as the leader has it."""
    return CLOCK.now_ms()


class Timer:
    """One call to come; `cancel` may be called at any time."""

    __slots__ = ("cancelled", "run")

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._serial = 0
        self._children: dict[int, Callable[[int], None]] = {}
        self._running = True
        self._on_orphan: Callable[[], None] = lambda: None

    def watch(self, fd: int, events: int, call: Callable[[int], None]) -> None:
        """Call with the events that are there; replaces what was watched on this descriptor."""
        if fd in self._selector.get_map():
            self._selector.modify(fd, events, call)
        else:
            self._selector.register(fd, events, call)

    def unwatch(self, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def later(self, delay_s: float, run: Callable[[], None]) -> Timer:
        timer = Timer(run)
        self._serial += 1
        heapq.heappush(self._timers, (time.monotonic() + delay_s, self._serial, timer))
        return timer

    def child(self, pid: int, call: Callable[[int], None]) -> None:
        """Call with the exit code (negative for a signal) when this child has ended."""
        self._children[pid] = call

    def knows(self, pid: int) -> bool:
        """Whether we started this child, and it has not ended."""
        return pid in self._children

    def on_orphan(self, call: Callable[[], None]) -> None:
        """Call when a process that was handed down to us has ended."""
        self._on_orphan = call

    def on_signal(self, number: int, call: Callable[[], None]) -> None:
        def caught(_number: int, _frame: object) -> None:
            self.later(0, call)

        signal.signal(number, caught)

    def stop(self) -> None:
        self._running = False

    def run(self) -> None:
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _wake)
        self.watch(wake_read, READ, lambda _: self._woken(wake_read))
        self._reap()
        while self._running:
            for key, events in self._selector.select(self._timeout_s()):
                if self._still_watched(key):
                    self._guarded(lambda call=key.data, events=events: call(events))
            self._run_timers()

    def _still_watched(self, key: selectors.SelectorKey) -> bool:
        """A call before it in the same round may have closed its descriptor, or given it to another."""
        now = self._selector.get_map().get(key.fd)
        return now is not None and now.data == key.data

    def _woken(self, wake_read: int) -> None:
        os.read(wake_read, 4096)
        self._reap()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            call = self._children.pop(pid, None)
            if call is None:
                self._guarded(self._on_orphan)
            else:
                code = os.waitstatus_to_exitcode(status)
                self._guarded(lambda call=call, code=code: call(code))

    def _timeout_s(self) -> float | None:
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - time.monotonic())

    def _run_timers(self) -> None:
        now_s = time.monotonic()
        due: list[Timer] = []
        while self._timers and self._timers[0][0] <= now_s:
            due.append(heapq.heappop(self._timers)[2])
        for timer in due:
            if not timer.cancelled:
                self._guarded(timer.run)

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception as error:  # noqa: BLE001 - a fault in one attempt must not end the ranks of all others
            self._notes.fault(error)


def _wake(_number: int, _frame: object) -> None:
    """The byte that comes with the signal says it all."""
