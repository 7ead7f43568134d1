"""Follows the lines of JSON that a rank's programs append to a file, through its rotation."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, cast

READ_BYTES = 1 << 16
LINE_BYTES_MAX = 1 << 16


class Tail:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._inode = 0
        self._rest = b""

    def read(self) -> list[dict[str, Any]]:
        """Entries since the last call. What is no JSON object is not ours and is passed over."""
        entries: list[dict[str, Any]] = []
        if self._fd < 0 and not self._open():
            return entries
        self._drain(entries)
        if self._rotated():
            self._drain(entries)  # written between the last read and the rotation
            self.close()
            if self._open():
                self._drain(entries)
        return entries

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self._rest = b""

    def _open(self) -> bool:
        try:
            # A pipe in its place must not let us wait: whoever runs there may write what they like.
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            self._fd = os.open(self._path, flags)
        except OSError:
            return False
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            self.close()
            return False
        self._inode = os.fstat(self._fd).st_ino
        return True

    def _rotated(self) -> bool:
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return False

    def _drain(self, entries: list[dict[str, Any]]) -> None:
        while data := os.read(self._fd, READ_BYTES):
            *lines, self._rest = (self._rest + data).split(b"\n")
            if len(self._rest) > LINE_BYTES_MAX:
                self._rest = b""
            for line in lines:
                try:
                    entry = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(entry, dict):
                    entries.append(cast("dict[str, Any]", entry))
