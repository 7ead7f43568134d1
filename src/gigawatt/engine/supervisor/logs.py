"""A rank's output on disk: segment files named by their first byte's offset, within a limit.

The first segment always stays, because that is where a start goes wrong; the oldest ones after it go. What the disk
does not take is dropped and counted, and the next segment starts after it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from gigawatt.engine.supervisor.log_times import SUFFIX, Times
from gigawatt.engine.supervisor.loop import now_ms as wall_ms
from gigawatt.engine.supervisor.masking import Mask

LIMIT_BYTES = 64 << 20  # for each rank and stream
SEGMENT_BYTES = 4 << 20
SEGMENT_BYTES_MIN = 4 << 10
END_MARK = "end"  # an empty file beside the segments: nothing comes after them
LAST_BYTES = 4096
LAST_LINES = 20


class SegmentedLog:
    def __init__(
        self,
        directory: Path,
        *,
        limit_bytes: int = 0,
        now_ms: Callable[[], int] = wall_ms,
        mask: Mask | None = None,
    ) -> None:
        limit = limit_bytes or LIMIT_BYTES
        self._directory = directory
        self._mask = mask or Mask(())
        self._segment_bytes = max(SEGMENT_BYTES_MIN, min(SEGMENT_BYTES, limit // 4))
        self._segments_max = max(2, limit // self._segment_bytes)
        self._segments: list[int] = []  # offsets
        self._times = Times(directory, now_ms)
        self._fd = -1
        self._offset = 0
        self._in_segment = 0
        self._last = b""
        self.dropped = 0

    def write(self, data: bytes) -> None:
        self._put(self._mask.take(data))

    def finish(self) -> None:
        """Nothing more will come."""
        self._put(self._mask.rest())
        self._close_segment()
        self._times.close()
        try:
            os.close(os.open(self._directory / END_MARK, os.O_WRONLY | os.O_CREAT, 0o600))
        except OSError:
            self.dropped += 1  # readers see the end by the attempt's release instead

    def last_lines(self) -> list[str]:
        """At most 20 lines and 4 KiB from the end."""
        lines = self._last.decode(errors="replace").splitlines()
        return [line for line in lines if line.strip()][-LAST_LINES:]

    def _put(self, data: bytes) -> None:
        self._last = (self._last + data)[-LAST_BYTES:]
        view = memoryview(data)
        while view:
            if self._fd < 0 or self._in_segment >= self._segment_bytes:
                self._roll()
            piece = view[: self._segment_bytes - self._in_segment]
            if self._fd >= 0:
                self._times.note(self._offset, piece)
            written = self._write(piece)
            self._offset += written
            self._in_segment += written
            view = view[written:]
            if written < len(piece):  # a full disk: what is left of this read is lost
                self.dropped += len(view)
                self._offset += len(view)
                self._close_segment()
                return

    def _write(self, piece: memoryview) -> int:
        if self._fd < 0:
            return 0
        try:
            return os.write(self._fd, piece)
        except OSError:
            return 0

    def _roll(self) -> None:
        self._close_segment()
        path = self._directory / f"{self._offset:016d}"
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        except OSError:
            return
        self._times.roll(self._offset)
        self._segments.append(self._offset)
        while len(self._segments) > self._segments_max:
            oldest = self._segments.pop(1)
            for name in (f"{oldest:016d}", f"{oldest:016d}{SUFFIX}"):
                (self._directory / name).unlink(missing_ok=True)

    def _close_segment(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self._in_segment = 0
