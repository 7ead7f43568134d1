"""Where a node keeps what must survive it: one directory, written so that a crash at any point can be read back.

lock                   held by the supervisor as long as it lives
epoch                  the highest epoch seen
socket                 the path of the socket, which may have to be elsewhere
alone/<key>/           lock, epoch and discarded/ of a supervisor for that attempt alone, beside others of the node
live/<key>             one empty file for each attempt that is not released
attempts/<key>/        journal, logs/, report/, secrets/, work/; logs stay after the release
discarded/             what never started, on its way out: its key may be staged again at once
etc/                   what walled attempts see of /etc
python/                the rank module as package `gigawatt`
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import Any

from gigawatt.engine.supervisor.wire import PATH_BYTES_MAX

Entry = dict[str, Any]

ATTEMPTS_KEPT_MAX = 2000  # released attempts whose logs are kept on this node
LOG_BYTES_KEPT_MAX = 16 << 30  # of those together
PRUNE_EVERY = 50  # releases


class NodeLockedError(Exception):
    """Another supervisor holds this node's directory."""


class Layout:
    """With a `key`, of a supervisor that has this attempt alone, and touches no other's."""

    def __init__(self, root: Path, *, key: str = "") -> None:
        self.root = root
        self.own = root / "alone" / key if key else root
        self.live = root / "live"
        self.attempts = root / "attempts"
        self.discarded = self.own / "discarded"
        self.python = root / "python"
        self.key = key
        self._releases = 0
        self._discards = 0

    def make(self) -> None:
        for path in (self.root, self.live, self.attempts, self.own, self.discarded):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def lock(self) -> int:
        """Hold the node for the life of this process. Raises NodeLockedError."""
        fd = os.open(self.own / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise NodeLockedError(str(self.root)) from None
        return fd

    def socket_path(self, short: Path) -> str:
        """Beside the state, or at `short` where that path is too long for a socket. On record in `socket`."""
        path = self.root / "supervisor.sock"
        if len(os.fsencode(path)) > PATH_BYTES_MAX:
            path = short
        write_whole(self.root / "socket", str(path).encode())
        return str(path)

    def read_epoch(self) -> int:
        try:
            return int((self.own / "epoch").read_text())
        except FileNotFoundError:
            return 0

    def write_epoch(self, epoch: int) -> None:
        write_whole(self.own / "epoch", str(epoch).encode(), sync=True)

    def live_keys(self) -> list[str]:
        if self.key:  # others may be other users', whom we do not see
            return [self.key] if (self.live / self.key).exists() else []
        return sorted(path.name for path in self.live.iterdir())

    def may_have_leftovers(self) -> bool:
        """Whether an earlier supervisor may have started something: one of an attempt alone has put that on record."""
        return not self.key or (self.live / self.key).exists()

    def was_released(self, key: str) -> bool:
        return (self.attempts / key).exists() and not (self.live / key).exists()

    def release(self, key: str) -> bool:
        """An attempt is not live any more; whether it is time to look at what is kept."""
        (self.live / key).unlink(missing_ok=True)
        self._releases += 1
        return self._releases % PRUNE_EVERY == 0

    def discard(self, key: str) -> Path:
        """Take an attempt's directory out of the way, in one step; where it is until it is removed.

        What an earlier supervisor left there is passed over. Raises OSError.
        """
        while True:
            self._discards += 1
            away = self.discarded / f"{self._discards}-{key}"
            if not away.exists():
                break
        with contextlib.suppress(FileNotFoundError):
            (self.attempts / key).rename(away)
        return away

    def beyond_limits(
        self, *, count: int = ATTEMPTS_KEPT_MAX, size_bytes: int = LOG_BYTES_KEPT_MAX
    ) -> list[Path]:
        """Released attempts whose logs are to go, the oldest first, so that what stays is within the limits."""
        released = [
            path for path in self.attempts.iterdir() if not (self.live / path.name).exists()
        ]
        released.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
        sizes = {path: _size(path) for path in released}
        beyond: list[Path] = []
        for path in released:
            kept = len(released) - len(beyond)
            if kept <= count and sum(sizes.values()) <= size_bytes:
                break
            beyond.append(path)
            del sizes[path]
        return beyond


class Journal:
    """What happened to one attempt here, a line an entry. The last line may be cut short by a crash."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, entry: Entry) -> None:
        """Raises OSError, e.g. for a full disk."""
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.write(fd, line) != len(line):
                raise OSError(28, "no space left on device", str(self._path))
        finally:
            os.close(fd)

    def read(self) -> list[Entry]:
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        entries: list[Entry] = []
        for line in lines:
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue  # an empty last line, or one that a crash or a full disk cut short
        return entries


def write_whole(path: Path, data: bytes, *, sync: bool = False, mode: int = 0o600) -> None:
    """The old content or the new, never half of it."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)  # of a crash, or put there by a program to lead us elsewhere
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        os.write(fd, data)
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)
    fresh.replace(path)


def _size(directory: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
