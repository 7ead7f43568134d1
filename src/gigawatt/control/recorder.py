"""A ring of recorded cycles on disk, for `gw sim replay`."""

import asyncio
import logging
from pathlib import Path

from gigawatt.scheduler.policy import Policy
from gigawatt.scheduler.record import dump
from gigawatt.scheduler.snapshot import Snapshot

KEPT_MAX = 64  # files in the ring
EVERY_MS = 1_000  # at most one in this time

log = logging.getLogger(__name__)


class Recorder:
    """Records a cycle that decided anything, at most once in `EVERY_MS`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._last_ms = 0
        self._writing: asyncio.Task[None] | None = None

    def record(self, snapshot: Snapshot | None, policy: Policy, *, now_ms: int) -> None:
        """Keep this cycle, off the loop. A full disk costs the recording, not the cycle."""
        if snapshot is None or not snapshot.gangs.ids:
            return
        if now_ms - self._last_ms < EVERY_MS or (self._writing and not self._writing.done()):
            return
        self._last_ms = now_ms
        self._writing = asyncio.create_task(self._write(dump(snapshot, policy), now_ms))

    async def close(self) -> None:
        if self._writing is not None:
            await self._writing

    async def _write(self, data: bytes, now_ms: int) -> None:
        try:
            await asyncio.to_thread(self._store, data, now_ms)
        except OSError as error:
            log.warning("cycle not recorded: %s", error)

    def _store(self, data: bytes, now_ms: int) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        part = self._directory / f"{now_ms}.part"
        part.write_bytes(data)
        part.replace(self._directory / f"{now_ms}.cycle")
        kept = sorted(self._directory.glob("*.cycle"))
        for old in kept[:-KEPT_MAX]:
            old.unlink(missing_ok=True)
