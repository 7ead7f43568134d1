"""SQLite: one file, one writing connection, and a few that read what was last committed while it writes."""

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql import Insert

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.store.dialect import Engines, replaced

_SCHEME = "sqlite:///"
VERSION_MIN = (3, 35, 0)  # RETURNING
BUSY_TIMEOUT_S = 30.0  # how long a write waits for another process's; then it fails
READERS_MAX = 4  # reads at once; more of them wait
WAIT_S = 60.0  # how long a call waits for a connection; then it fails
WAL_BYTES_KEPT = 64 << 20  # what the write-ahead log is cut back to once it has been copied

_FULL = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_SHMSIZE,  # no room for the index of the write-ahead log
}


class SqliteDialect:
    def __init__(self, url: str) -> None:
        # Cut by hand: a path may hold what a URL cannot.
        self._path = Path(url.removeprefix(_SCHEME))

    @property
    def place(self) -> str:
        return str(self._path)

    def open(self) -> Engines:
        if not self._path.name or str(self._path) == ":memory:":
            raise RefusalError(
                RefusalCode.INVALID,
                "SQLite needs a file, and the URL names none",
                field="store",
                hint="sqlite:///path/to/gigawatt.db",
            )
        if sqlite3.sqlite_version_info < VERSION_MIN:
            raise RefusalError(
                RefusalCode.UNSUPPORTED,
                f"SQLite is {sqlite3.sqlite_version}, and at least 3.35 is needed",
                field="store",
                hint="use a newer Python or PostgreSQL",
            )
        self._create_private()
        return Engines(reader=self._reader(), writer=self._writer())

    def upsert(self, table: Table) -> Insert:
        statement = insert(table)
        return statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_=replaced(table, statement.excluded),
        )

    def is_full(self, error: DBAPIError) -> bool:
        code = getattr(error.orig, "sqlite_errorcode", None)
        return code is not None and (code in _FULL or code & 0xFF in _FULL)

    def lock_schema(self, connection: Connection) -> None:
        """Nothing to do: the one writer is alone already."""

    def _create_private(self) -> None:
        """The log and its index inherit the file's mode; jobs' variables may hold secrets."""
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise RefusalError(
                RefusalCode.UNAVAILABLE,
                f"the database {self._path} cannot be opened: {error.strerror}",
                field="store",
            ) from None

    def _writer(self) -> Engine:
        """A pool of one is the lock: whoever writes has the connection, the others wait for it."""
        engine = self._engine(connections=1)
        event.listen(engine, "connect", _set_up_writer)
        event.listen(engine, "begin", _begin_immediate)
        return engine

    def _reader(self) -> Engine:
        engine = self._engine(connections=READERS_MAX)
        event.listen(engine, "connect", _set_up_reader)
        return engine.execution_options(isolation_level="AUTOCOMMIT")

    def _engine(self, *, connections: int) -> Engine:
        return create_engine(
            URL.create("sqlite", database=str(self._path)),
            poolclass=QueuePool,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=WAIT_S,
            connect_args={
                "check_same_thread": False,  # the pool lends a connection to one thread at a time
                "timeout": BUSY_TIMEOUT_S,
                "isolation_level": None,  # transactions begin where we say
            },
        )


def _set_up_writer(connection: sqlite3.Connection, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk before it returns
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT}")


def _set_up_reader(connection: sqlite3.Connection, _record: Any) -> None:
    connection.execute("PRAGMA query_only = ON")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a transaction that begins by reading could be refused it later."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
