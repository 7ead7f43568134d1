"""What an attempt's ranks are given and nobody else is to see: a file for each secret, in memory where there is a tmpfs.

The files are there as long as the attempt's processes, and are removed by whoever sees the last of them end.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from gigawatt.engine.supervisor.layout import Layout, write_whole
from gigawatt.engine.supervisor.workdir import remove_tree

MODE = 0o400
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there is 0700 and checked to be ours
MOUNTS = Path("/proc/self/mounts")
PUBLIC = frozenset({"GIGAWATT_CA"})  # given like secrets, and none
INSTANCE_CHARS = 16


class Private(NamedTuple):
    """Where the files are, and what is in them. Its values are not shown."""

    directory: Path
    values: Mapping[str, str]

    def masked(self) -> list[str]:
        """The values that nobody is to see."""
        return [value for name, value in self.values.items() if name not in PUBLIC]

    def __repr__(self) -> str:
        return f"Private({str(self.directory)!r})"


class Vault:
    """Places of secrets, of one node."""

    def __init__(self, layout: Layout, *, instance: str, node: str, memory: Path | None) -> None:
        self._layout = layout
        self._memory = memory / f"{instance[:INSTANCE_CHARS]}.{node}" if memory else None

    def keep(self, key: str, values: Mapping[str, str]) -> Private:
        """Write them down for an attempt. Raises OSError."""
        place = self._in_memory(key)
        if place is not None:
            with contextlib.suppress(OSError):  # no room there: then on the disk
                return _written(place, values)
            remove_tree(place)
        return _written(self._on_disk(key), values)

    def forget(self, key: str) -> None:
        """Remove what an attempt was given. Raises OSError."""
        for place in (self._in_memory(key), self._on_disk(key)):
            if place is not None:
                remove_tree(place)
        self._leave()

    def forget_left(self) -> None:
        """What supervisors before us have left in memory, of the attempts that are ours. Raises OSError."""
        if self._memory is not None:
            remove_tree(self._memory / self._layout.key)
            self._leave()

    def _leave(self) -> None:
        """No empty directory stays in memory."""
        if self._memory is not None:
            with contextlib.suppress(OSError):  # others' are in it, or it is gone
                self._memory.rmdir()

    def _in_memory(self, key: str) -> Path | None:
        return self._memory / key if self._memory is not None else None

    def _on_disk(self, key: str) -> Path:
        return self._layout.attempts / key / "secrets"


def memory_place() -> Path | None:
    """A directory of ours that no disk ever has; None where this machine gives us none."""
    try:
        mounts = MOUNTS.read_text()
    except OSError:
        return None
    if f" {SHARED_MEMORY} tmpfs " not in mounts:
        return None
    place = SHARED_MEMORY / f"gigawatt-{os.geteuid()}"
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        status = place.lstat()
    except OSError:
        return None
    ours = status.st_uid == os.geteuid() and not status.st_mode & 0o077 and not place.is_symlink()
    return place if ours else None


def _written(place: Path, values: Mapping[str, str]) -> Private:
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, value in values.items():
        write_whole(place / name, value.encode(), mode=MODE)
    return Private(place, values)
