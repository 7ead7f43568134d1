"""The two databases as tests see them: from behind the store's back."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import text

from gigawatt.store.base import Store
from gigawatt.store.sql_store import SqlStore
from tests.postgres import PostgresServer

NOW_MS = 1_000_000
LEASE_MS = 10_000


class Database(Protocol):
    """A fresh database, and what tests do to it behind the store's back."""

    @property
    def url(self) -> str: ...

    def execute(self, statement: str) -> list[tuple[Any, ...]]: ...

    def schema(self) -> list[tuple[Any, ...]]:
        """Everything that was made in it, comparable."""
        ...

    @contextmanager
    def full(self, store: Store) -> Generator[None]:
        """Meanwhile it has no room for more objects."""
        ...


@dataclass(frozen=True, slots=True)
class SqliteDatabase:
    path: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(statement).fetchall()

    def schema(self) -> list[tuple[Any, ...]]:
        rows = self.execute("SELECT type, name, sql FROM sqlite_master ORDER BY tbl_name, rowid")
        return [(*row[:2], " ".join((row[2] or "").split())) for row in rows]

    @contextmanager
    def full(self, store: Store) -> Generator[None]:
        """The limit belongs to a connection, so it is set on the store's own."""
        assert isinstance(store, SqlStore)
        with store._writer.connect() as connection:
            used = connection.execute(text("PRAGMA page_count")).scalar_one()
            connection.execute(text(f"PRAGMA max_page_count = {used}"))
        try:
            yield
        finally:
            with store._writer.connect() as connection:
                connection.execute(text("PRAGMA max_page_count = 1073741823"))


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    server: PostgresServer
    name: str

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        with self.server.connect(self.name) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def schema(self) -> list[tuple[Any, ...]]:
        columns = self.execute(
            "SELECT table_name, column_name, data_type, is_nullable, column_default,"
            " collation_name, character_maximum_length FROM information_schema.columns"
            " WHERE table_schema = 'public' ORDER BY table_name, column_name"
        )
        indexes = self.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
        )
        return [*columns, *indexes]

    @contextmanager
    def full(self, store: Store) -> Generator[None]:
        """No disk is filled: the server is made to raise the very error that a full one raises."""
        self.execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
        )
        for table in ("receipts", "inbox"):
            self.execute(
                f"CREATE TRIGGER full_{table} BEFORE INSERT ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION no_room()"
            )
        try:
            yield
        finally:
            self.execute("DROP FUNCTION no_room CASCADE")
