"""Digests of checkpoints' contents, in the background: one checkpoint at a time, in a child of the lowest priority.

Neither a rank nor the supervisor waits for it. A newer checkpoint is more likely to be needed, so it goes first, and
what does not fit the line is left out: its manifest still tells whether it was cut short.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import NamedTuple

from gigawatt.engine.supervisor import manifest
from gigawatt.engine.supervisor.loop import Loop
from gigawatt.engine.supervisor.notes import Notes
from gigawatt.engine.supervisor.process import in_child

WAITING_MAX = 4
LOWEST_PRIORITY = 19
IOPRIO_SET = {"x86_64": 251, "aarch64": 30}  # the numbers of the system call
IOPRIO_IDLE = 3 << 13


class Wanted(NamedTuple):
    path: str
    checkpoint_dir: str
    digest: str  # of the manifest: another one means that it was reported anew
    done: Callable[[str], None]  # gets the digest of the contents


class Digests:
    """The line of a node."""

    def __init__(self, loop: Loop, notes: Notes) -> None:
        self._loop = loop
        self._notes = notes
        self._waiting: list[Wanted] = []
        self._busy = False

    def want(self, wanted: Wanted) -> None:
        """Have the contents of a checkpoint read, some time."""
        self._waiting = [each for each in self._waiting if each.path != wanted.path]
        self._waiting.append(wanted)
        while len(self._waiting) > WAITING_MAX:
            left_out = self._waiting.pop(0)
            self._notes.note("no digest of a checkpoint: newer ones wait", path=left_out.path)
        self._next()

    def _next(self) -> None:
        if self._busy or not self._waiting:
            return
        wanted = self._waiting.pop()
        try:
            in_child(self._loop, lambda: _read(wanted), lambda error: self._ended(wanted, error))
        except OSError as error:
            self._notes.note("no digest of a checkpoint", path=wanted.path, error=str(error))
            return
        self._busy = True

    def _ended(self, wanted: Wanted, error: str) -> None:
        self._busy = False
        known = manifest.recall(wanted.path, wanted.checkpoint_dir, digest=wanted.digest)
        if error:
            self._notes.note("no digest of a checkpoint", path=wanted.path, error=error)
        elif known is not None and known.content_digest:
            wanted.done(known.content_digest)
        self._next()


def _read(wanted: Wanted) -> None:
    """In the child."""
    import ctypes
    import platform

    os.nice(LOWEST_PRIORITY)
    number = IOPRIO_SET.get(platform.machine())
    if number is not None:
        with contextlib.suppress(OSError):  # a kernel without it reads at its usual priority
            ctypes.CDLL(None).syscall(number, 1, 0, IOPRIO_IDLE)
    kept = manifest.recall(wanted.path, wanted.checkpoint_dir, digest=wanted.digest)
    if kept is None:
        return
    known = manifest.with_contents(kept)
    if manifest.recall(wanted.path, wanted.checkpoint_dir, digest=wanted.digest) is not None:
        manifest.keep(known, wanted.checkpoint_dir)
