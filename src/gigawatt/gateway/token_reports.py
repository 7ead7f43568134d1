"""Tells the control plane what is in the spools, until it has all of it; then they are removed.

One reporter at a time holds the directory. A report is the rows that have changed since the last one that was
acknowledged, each with all that was ever counted in it: one whose acknowledgement was lost is told again, under a new
number, and counts once. What the machine's end could lose is what was not yet on disk when it was reported: nothing.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from gigawatt.gateway.batch_store import DATABASE, UsedReader, batches_dir
from gigawatt.gateway.spool import SUFFIX, Counts, Row, SpoolReader

ROWS_AT_ONCE = 1_000
LOCK = "reporter.lock"

Send = Callable[[bytes], Awaitable[None]]  # raises ControlError


class Reader(Protocol):
    """Counts that only grow, of a writer that has them told."""

    @property
    def id(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def abandoned(self) -> bool:
        """Nothing will ever be added."""
        ...

    def rows(self) -> Iterator[Row]: ...
    def begin_report(self) -> int: ...
    def sync(self) -> None: ...
    def close(self) -> None: ...


class TokenReports:
    def __init__(self, directory: Path, send: Send | None) -> None:
        """Without `send` nobody is told, and every spool stays."""
        self._directory = directory
        self._send = send
        self._told: dict[str, dict[int, Counts]] = {}  # by spool and row
        self._readers: dict[str, Reader] = {}
        self._batches: UsedReader | None = None
        self._lock = -1

    async def report(self) -> bool:
        """Tell what is new; whether there was anything. Raises ControlError, OSError."""
        if self._send is None or not self._holds():
            return False
        told = [await self._report(reader, self._send) for reader in self.readers()]
        return any(told)

    def readers(self) -> list[Reader]:
        """Every spool there is, by name, and what batches have used."""
        database = batches_dir(self._directory) / DATABASE
        if self._batches is None and database.exists():
            self._batches = UsedReader(database)
            self._readers[self._batches.id] = self._batches
        if not self._directory.exists():
            return []
        for path in sorted(self._directory.glob(f"*{SUFFIX}")):
            name = path.name.removesuffix(SUFFIX)
            if name not in self._readers:
                self._readers[name] = SpoolReader(path)
        return [self._readers[name] for name in sorted(self._readers)]

    def spent(self, since_ms: int) -> dict[str, int]:
        """Tokens since then by key and by project, in the spools there are."""
        sums: dict[str, int] = {}
        for reader in self.readers():
            for row in reader.rows():
                subject = row.subject
                if subject.hour_ms < since_ms:
                    continue
                tokens = row.counts[1] + row.counts[3]
                for name in (subject.key, f"{subject.tenant}/{subject.project}"):
                    sums[name] = sums.get(name, 0) + tokens
        return sums

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    async def _report(self, reader: Reader, send: Send) -> bool:
        told = self._told.setdefault(reader.id, {})
        abandoned = reader.abandoned  # before the last look: what is written after would be lost
        changed = [row for row in reader.rows() if told.get(row.number) != row.counts]
        if changed:
            await asyncio.to_thread(reader.sync)
        for first in range(0, len(changed), ROWS_AT_ONCE):
            rows = changed[first : first + ROWS_AT_ONCE]
            await send(_body(reader, rows, closed=False))
            told.update({row.number: row.counts for row in rows})
        if abandoned:
            await send(_body(reader, [], closed=True))
            self._remove(reader)
        return bool(changed) or abandoned

    def _remove(self, reader: Reader) -> None:
        reader.path.unlink(missing_ok=True)
        reader.close()
        del self._readers[reader.id], self._told[reader.id]

    def _holds(self) -> bool:
        """Whether this is the reporter of the directory. Raises OSError."""
        if self._lock >= 0:
            return True
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        return True


def month_began_ms(now_ms: int) -> int:
    """When the month of UTC that `now_ms` is in began."""
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    return int(datetime(now.year, now.month, 1, tzinfo=UTC).timestamp()) * 1000


def _body(reader: Reader, rows: list[Row], *, closed: bool) -> bytes:
    return json.dumps(
        {
            "spool": reader.id,
            "report": reader.begin_report(),
            "rows": [_fields(row) for row in rows],
            "closed": closed,
        }
    ).encode()


def _fields(row: Row) -> dict[str, object]:
    subject = row.subject
    requests, prompt, cached, completion = row.counts
    return {
        "row": row.number,
        "hour_ms": subject.hour_ms,
        "tenant": subject.tenant,
        "project": subject.project,
        "key": subject.key,
        "model": subject.model,
        "endpoint": subject.endpoint,
        "requests": requests,
        "prompt_tokens": prompt,
        "cached_tokens": cached,
        "completion_tokens": completion,
    }
