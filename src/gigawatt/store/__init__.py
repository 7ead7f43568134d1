"""Durable state: SQLite or PostgreSQL over one schema."""

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.store.base import Store


def open_store(url: str) -> Store:
    """The store at `sqlite:///PATH` or `postgresql://...`; call `migrate` before anything else.

    Raises RefusalError for a URL of another kind, or one that can never be used.
    """
    # Loaded here: SQLAlchemy is heavy, and most programs that import this package want its types alone.
    if url.startswith("sqlite:///"):
        from gigawatt.store.sql_store import SqlStore
        from gigawatt.store.sqlite import SqliteDialect

        return SqlStore(SqliteDialect(url))
    if url.startswith(("postgresql://", "postgresql+psycopg://")):
        from gigawatt.store.postgres import PostgresDialect
        from gigawatt.store.sql_store import SqlStore

        return SqlStore(PostgresDialect(url))
    raise RefusalError(
        RefusalCode.INVALID,
        f"no database is known by {url.partition('://')[0]!r}",
        field="store",
        hint="sqlite:///path/to/gigawatt.db or postgresql://user:password@host:5432/database",
    )
