"""Every test of this directory runs on both databases: on a fresh one each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gigawatt.store import open_store
from gigawatt.store.base import Store
from tests.contract.store.databases import (
    LEASE_MS,
    NOW_MS,
    Database,
    PostgresDatabase,
    SqliteDatabase,
)
from tests.postgres import PostgresServer, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgres", marks=(pytest.mark.slow, pytest.mark.postgres)),
    ]
)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        yield SqliteDatabase(tmp_path / "gigawatt.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create_database()
    yield PostgresDatabase(server, name)
    server.drop_database(name)


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    """Migrated, and led by nobody."""
    opened = open_store(database.url)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def epoch(store: Store) -> int:
    """The store is led."""
    return store.lead(holder="one", now_ms=NOW_MS, lease_ms=LEASE_MS)
