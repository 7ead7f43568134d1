"""Files and batches on the gateway's disk: one SQLite database that its workers share, and the files' contents beside it.

What a line of a batch was answered, and what that is billed, are one transaction: a gateway that is killed has both or
neither, so no line is answered twice in the output, and none is billed twice. Counts of usage only grow, as in spools
(`spool.py`), and are told in the same way.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from gigawatt.gateway.spool import Row, Subject
from gigawatt.gateway.usage import Usage

DATABASE = "batches.sqlite"
CONTENTS = "contents"
BUSY_S = 30.0
MODE = 0o700
LIVE = ("validating", "in_progress", "finalizing", "cancelling")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, project TEXT NOT NULL, purpose TEXT NOT NULL,
    filename TEXT NOT NULL, bytes INTEGER NOT NULL, created_s INTEGER NOT NULL, expires_s INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, project TEXT NOT NULL, key TEXT NOT NULL, status TEXT NOT NULL,
    created_s INTEGER NOT NULL, fields TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS results (
    batch TEXT NOT NULL, line INTEGER NOT NULL, good INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (batch, line)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS used (
    number INTEGER PRIMARY KEY, subject TEXT NOT NULL UNIQUE, requests INTEGER NOT NULL, prompt INTEGER NOT NULL,
    cached INTEGER NOT NULL, completion INTEGER NOT NULL);
"""


def batches_dir(spool_dir: Path) -> Path:
    """Beside the spools of a gateway."""
    return spool_dir.parent / "batches"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    id: str
    tenant: str
    project: str  # of the key that sent it; empty for one of the whole tenant
    purpose: str
    filename: str
    bytes: int
    created_s: int
    expires_s: int  # 0 is never


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """`fields` is the rest of what clients see, in OpenAI's names."""

    id: str
    tenant: str
    project: str
    key: str
    status: str
    created_s: int
    fields: dict[str, Any]


class BatchStore:
    """Every method blocks. Raises OSError, sqlite3.Error."""

    def __init__(self, directory: Path, *, new_id: str) -> None:
        """`new_id` names the database where it is new."""
        self.directory = directory
        self._contents = directory / CONTENTS
        self._contents.mkdir(parents=True, exist_ok=True, mode=MODE)
        directory.chmod(MODE)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            directory / DATABASE, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_SCHEMA)
        with self._transaction() as database:
            database.execute("INSERT OR IGNORE INTO about VALUES ('id', ?)", (new_id,))

    def close(self) -> None:
        with self._lock:
            self._database.close()

    # Files.

    def path(self, file_id: str) -> Path:
        return self._contents / file_id

    def put_file(self, file: StoredFile, content: bytes) -> None:
        """Its content first: a row is never without one."""
        beside = self.path(f"{file.id}.new")
        with beside.open("wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        beside.rename(self.path(file.id))
        row = (file.id, file.tenant, file.project, file.purpose, file.filename)
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, file.bytes, file.created_s, file.expires_s),
            )

    def files(self, tenant: str) -> list[StoredFile]:
        """Newest first."""
        rows = self._rows("SELECT * FROM files WHERE tenant = ? ORDER BY created_s, id", (tenant,))
        return [_file(row) for row in reversed(rows)]

    def file(self, file_id: str) -> StoredFile | None:
        rows = self._rows("SELECT * FROM files WHERE id = ?", (file_id,))
        return _file(rows[0]) if rows else None

    def remove_file(self, file_id: str) -> None:
        with self._transaction() as database:
            database.execute("DELETE FROM files WHERE id = ?", (file_id,))
        self.path(file_id).unlink(missing_ok=True)

    def expired_files(self, now_s: int) -> list[StoredFile]:
        rows = self._rows("SELECT * FROM files WHERE expires_s > 0 AND expires_s <= ?", (now_s,))
        return [_file(row) for row in rows]

    # Batches.

    def put_batch(self, batch: Batch) -> None:
        row = (batch.id, batch.tenant, batch.project, batch.key, batch.status, batch.created_s)
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*row, json.dumps(batch.fields)),
            )

    def move_batch(self, batch_id: str, status: str, more: dict[str, Any]) -> Batch:
        """With another status and `more` fields, unless it has ended: then as it is."""
        with self._transaction() as database:
            row = database.execute("SELECT * FROM batches WHERE id = ?", (batch_id,)).fetchone()
            before = _batch(row)
            if before.status not in LIVE:
                return before
            after = {**before.fields, **more}
            database.execute(
                "UPDATE batches SET status = ?, fields = ? WHERE id = ?",
                (status, json.dumps(after), batch_id),
            )
        return _batch((*row[:4], status, row[5], json.dumps(after)))

    def batches(self, tenant: str) -> list[Batch]:
        """Newest first."""
        rows = self._rows(
            "SELECT * FROM batches WHERE tenant = ? ORDER BY created_s, id", (tenant,)
        )
        return [_batch(row) for row in reversed(rows)]

    def batch(self, batch_id: str) -> Batch | None:
        rows = self._rows("SELECT * FROM batches WHERE id = ?", (batch_id,))
        return _batch(rows[0]) if rows else None

    def live_batches(self) -> list[Batch]:
        """Of all tenants, oldest first."""
        marks = ", ".join("?" for _ in LIVE)
        query = f"SELECT * FROM batches WHERE status IN ({marks}) ORDER BY created_s, id"  # noqa: S608 - marks
        return [_batch(row) for row in self._rows(query, LIVE)]

    # Lines.

    def record(
        self, batch_id: str, line: int, body: bytes, used: tuple[Subject, Usage] | None
    ) -> bool:
        """What a line came to, once and for all, and what is billed for it; whether it is the first answer."""
        with self._transaction() as database:
            added = database.execute(
                "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?)",
                (batch_id, line, int(used is not None), body),
            ).rowcount
            if added and used is not None:
                subject, usage = used
                amounts = (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens)
                database.execute(
                    "INSERT INTO used (subject, requests, prompt, cached, completion) VALUES (?, 1, ?, ?, ?)"
                    " ON CONFLICT (subject) DO UPDATE SET requests = requests + 1, prompt = prompt + excluded.prompt,"
                    " cached = cached + excluded.cached, completion = completion + excluded.completion",
                    (json.dumps(subject), *amounts),
                )
        return bool(added)

    def answered(self, batch_id: str) -> set[int]:
        rows = self._rows("SELECT line FROM results WHERE batch = ?", (batch_id,))
        return {line for (line,) in rows}

    def counts(self, batch_id: str) -> tuple[int, int]:
        """Lines that were answered well, and those that were not."""
        rows = self._rows(
            "SELECT good, COUNT(*) FROM results WHERE batch = ? GROUP BY good", (batch_id,)
        )
        by_good = dict(cast("list[tuple[int, int]]", rows))
        return by_good.get(1, 0), by_good.get(0, 0)

    def results(self, batch_id: str, *, good: bool) -> bytes:
        """The lines of a file, in order."""
        rows = self._rows(
            "SELECT body FROM results WHERE batch = ? AND good = ? ORDER BY line",
            (batch_id, int(good)),
        )
        return b"".join(body + b"\n" for (body,) in rows)

    def forget_results(self, batch_id: str) -> None:
        """They are in files now."""
        with self._transaction() as database:
            database.execute("DELETE FROM results WHERE batch = ?", (batch_id,))

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _rows(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(query, values).fetchall()


class UsedReader:
    """What batches have used, as a reporter reads a spool. It is never abandoned: its writer comes back."""

    abandoned = False

    def __init__(self, path: Path) -> None:
        """Raises sqlite3.Error."""
        self.path = path
        self._database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        found = self._database.execute("SELECT value FROM about WHERE name = 'id'").fetchone()
        self.id = str(found[0])

    def rows(self) -> Iterator[Row]:
        """Every row, as it is now."""
        for number, subject, *counts in self._database.execute("SELECT * FROM used").fetchall():
            told = Subject(*json.loads(subject))
            requests, prompt, cached, completion = counts
            yield Row(number=number, subject=told, counts=(requests, prompt, cached, completion))

    def begin_report(self) -> int:
        """The number of the next report."""
        self._database.execute(
            "INSERT INTO about VALUES ('report', '1')"
            " ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
        )
        found = self._database.execute("SELECT value FROM about WHERE name = 'report'").fetchone()
        return int(found[0])

    def sync(self) -> None:
        """Have what is written outlive the machine too. Blocks."""
        self._sync_connection()

    def close(self) -> None:
        self._database.close()

    def _sync_connection(self) -> None:
        other = sqlite3.connect(self.path, timeout=BUSY_S)  # of the thread that waits
        try:
            other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            other.close()


def _file(row: tuple[Any, ...]) -> StoredFile:
    named = zip([each.name for each in fields(StoredFile)], row, strict=True)
    return StoredFile(**dict(named))


def _batch(row: tuple[Any, ...]) -> Batch:
    *plain, told = row
    names = [each.name for each in fields(Batch)]
    return Batch(**dict(zip(names, [*plain, json.loads(told)], strict=True)))
