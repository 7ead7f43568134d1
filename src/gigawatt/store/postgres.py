"""PostgreSQL through psycopg: a server that several control planes may share, one of which leads."""

from sqlalchemy import URL, Connection, Table, create_engine, make_url, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.sql import Insert

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.store.dialect import Engines, replaced

CONNECTIONS_MAX = 6  # of one process; calls that need more wait
WAIT_S = 60.0  # how long a call waits for a connection; then it fails
CONNECT_TIMEOUT_S = 10

_DISK_FULL = "53100"
_SCHEMA_LOCK = 0x6769676177617474  # "gigawatt"


class PostgresDialect:
    def __init__(self, url: str) -> None:
        self._url = _parsed(url)

    @property
    def place(self) -> str:
        return self._url.render_as_string(hide_password=True)

    def open(self) -> Engines:
        try:
            engine = create_engine(
                self._url.set(drivername="postgresql+psycopg"),
                pool_size=CONNECTIONS_MAX,
                max_overflow=0,
                pool_timeout=WAIT_S,
                pool_pre_ping=True,  # a server that was restarted costs no call
                connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
            )
        except ModuleNotFoundError:
            raise RefusalError(
                RefusalCode.UNSUPPORTED,
                "PostgreSQL needs the package psycopg, which is not installed",
                field="store",
                hint="pip install 'gigawatt[postgres]'",
            ) from None
        return Engines(reader=engine.execution_options(isolation_level="AUTOCOMMIT"), writer=engine)

    def upsert(self, table: Table) -> Insert:
        statement = insert(table)
        return statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_=replaced(table, statement.excluded),
        )

    def is_full(self, error: DBAPIError) -> bool:
        return getattr(error.orig, "sqlstate", None) == _DISK_FULL

    def lock_schema(self, connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise RefusalError(
            RefusalCode.INVALID,
            "the URL of the database cannot be read",
            field="store",
            hint="postgresql://user:password@host:5432/database",
        ) from None
