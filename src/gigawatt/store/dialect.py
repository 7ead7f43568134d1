"""What truly differs between the databases; everything else is written once."""

from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Insert


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """`reader` commits nothing and waits for no writer; `writer` begins transactions that are sure to be allowed to write."""

    reader: Engine
    writer: Engine


class Dialect(Protocol):
    @property
    def place(self) -> str:
        """Which database, for people; without its password."""
        ...

    def open(self) -> Engines:
        """Connections are made when first used. Raises RefusalError where the database can never be used."""
        ...

    def upsert(self, table: Table) -> Insert:
        """Insert a row; where one with its primary key exists, overwrite it."""
        ...

    def is_full(self, error: DBAPIError) -> bool:
        """Whether the disk or the database had no room."""
        ...

    def lock_schema(self, connection: Connection) -> None:
        """Let no other process change the schema until this transaction ends."""
        ...


def replaced(table: Table, excluded: Any) -> dict[str, Any]:
    """For an upsert: every column outside the primary key from the row that was to be inserted."""
    return {column.name: excluded[column.name] for column in table.c if not column.primary_key}
