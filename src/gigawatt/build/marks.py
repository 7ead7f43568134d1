"""When artifacts were last of use that are not cached here, and one at a time who removes any of them for good.

A mark is a file of an artifact's name whose time says when. Whoever wants an artifact marks it before asking whether it
is there; whoever removes one looks at the mark and removes it under the lock: so what is found to be there stays there.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from gigawatt.clock import entropy
from gigawatt.engine.local.aside import mark_used, modified_ms

KEPT_MS = 86_400_000  # a mark that is older says nothing any more
OWNER_BYTES = 16


class Marks:
    """Below `root`; any number of processes may share it. Calls block."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def touch(self, name: str) -> None:
        """It is wanted now. Waits while one is being removed."""
        with self.lock():
            path = self._root / name
            if not mark_used(path):
                path.touch()

    def used_ms(self, name: str) -> int:
        """0 where it was not wanted lately."""
        return modified_ms(self._root / name)

    def forget(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Generator[None]:
        self._root.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def sweep(self, now_ms: int) -> None:
        """Forget old ones."""
        for path in self._root.glob("[0-9a-f]*"):
            if modified_ms(path) < now_ms - KEPT_MS:
                self.forget(path.name)

    def owner(self) -> str:
        """By what this store is told from others: made once, and copied with it."""
        path = self._root / ".owner"
        if not path.exists():
            self._root.mkdir(parents=True, exist_ok=True)
            own = self._root / f".owner.{entropy(OWNER_BYTES).hex()}"
            own.write_text(entropy(OWNER_BYTES).hex())
            with suppress(FileExistsError):  # the first one to say so is right
                path.hardlink_to(own)
            own.unlink()
        return path.read_text().strip()
