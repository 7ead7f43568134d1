"""Bring a database's schema to this version's, once, whoever else tries at the same time."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, select
from sqlalchemy.exc import DBAPIError

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.store.base import StoreFullError
from gigawatt.store.dialect import Dialect
from gigawatt.store.schema import HEAD, REVISIONS, create, metadata, revision

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(engine: Engine, dialect: Dialect) -> None:
    """Raises RefusalError for a newer schema, somebody else's tables or a database that cannot be used; StoreFullError."""
    try:
        with engine.connect() as connection:
            if _revision(connection) == HEAD:
                return
        with engine.begin() as connection:
            dialect.lock_schema(connection)
            _bring_to_head(connection, dialect.place)
    except DBAPIError as error:
        if dialect.is_full(error):
            raise StoreFullError(f"{dialect.place} has no room") from error
        said = " ".join(str(error.orig).split())
        raise RefusalError(
            RefusalCode.UNAVAILABLE,
            f"the database {dialect.place} cannot be used: {said}",
            field="store",
        ) from error


def run_alembic(connection: Connection, target: str) -> None:
    """Every migration up to `target`, in the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, target)


def _bring_to_head(connection: Connection, place: str) -> None:
    current = _revision(connection)
    if current == HEAD:
        return
    if current is None:
        _refuse_foreign_tables(connection, place)
        create(connection)
    elif current in REVISIONS:
        run_alembic(connection, HEAD)
    else:
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            f"the database {place} has the schema {current} of a newer gigawatt; "
            f"this one knows them up to {HEAD}",
            field="store",
            hint="upgrade gigawatt; the database has not been changed",
        )


def _revision(connection: Connection) -> str | None:
    """What the database says it has; None where it has nothing yet."""
    if not inspect(connection).has_table(revision.name):
        return None
    return connection.execute(select(revision.c.version_num)).scalar_one_or_none()


def _refuse_foreign_tables(connection: Connection, place: str) -> None:
    foreign = sorted(metadata.tables.keys() & set(inspect(connection).get_table_names()))
    if foreign:
        raise RefusalError(
            RefusalCode.CONFLICT,
            f"the database {place} already has tables of somebody else's, such as {foreign[0]!r}",
            field="store",
            hint="give gigawatt a database of its own",
        )
