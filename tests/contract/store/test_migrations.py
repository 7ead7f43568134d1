"""The schema is brought to this version's, once; a newer one and somebody else's are left alone."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.script import ScriptDirectory

from gigawatt.model.job import Job
from gigawatt.model.refusal import RefusalError
from gigawatt.store import open_store
from gigawatt.store.base import Store
from gigawatt.store.migrate import MIGRATIONS, run_alembic
from gigawatt.store.schema import HEAD, REVISIONS
from gigawatt.store.sql_store import SqlStore
from tests.contract.store.databases import NOW_MS, Database, PostgresDatabase
from tests.contract.store.samples import batch_of, job


def test_the_revisions_are_those_of_the_migrations() -> None:
    found = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    assert tuple(reversed(found)) == REVISIONS


def test_a_new_database_equals_one_that_every_migration_made(database: Database) -> None:
    store = open_store(database.url)
    assert isinstance(store, SqlStore)
    with store._writer.begin() as connection:
        run_alembic(connection, HEAD)
    migrated = database.schema()
    leader = database.execute("SELECT * FROM leader")
    revision = database.execute("SELECT * FROM alembic_version")
    _empty(database)
    store.migrate()
    store.close()
    assert database.schema() == migrated
    assert database.execute("SELECT * FROM leader") == leader
    assert database.execute("SELECT * FROM alembic_version") == revision == [(HEAD,)]


def _empty(database: Database) -> None:
    if isinstance(database, PostgresDatabase):
        database.execute("DROP SCHEMA public CASCADE")
        database.execute("CREATE SCHEMA public")
        return
    for (table,) in database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    ):
        database.execute(f"DROP TABLE {table}")


def test_migrating_again_changes_nothing(store: Store, epoch: int) -> None:
    store.commit(batch_of(job(1)), epoch=epoch, now_ms=NOW_MS)
    store.migrate()
    assert store.read(Job, job(1).id) == job(1)


def test_several_that_migrate_at_once_make_one_schema(database: Database) -> None:
    stores = [open_store(database.url) for _ in range(4)]
    with ThreadPoolExecutor(len(stores)) as pool:
        for migrated in [pool.submit(store.migrate) for store in stores]:
            migrated.result()
    for store in stores:
        store.close()
    assert database.execute("SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert database.execute("SELECT count(*) FROM leader") == [(1,)]


def test_a_newer_schema_is_refused_and_left_alone(store: Store, database: Database) -> None:
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    before = database.schema()
    with pytest.raises(RefusalError, match="9999") as caught:
        store.migrate()
    assert caught.value.field == "store"
    assert database.schema() == before
    assert database.execute("SELECT version_num FROM alembic_version") == [("9999",)]


def test_somebody_elses_tables_are_refused_and_left_alone(database: Database) -> None:
    database.execute("CREATE TABLE events (what text)")
    before = database.schema()
    store = open_store(database.url)
    with pytest.raises(RefusalError, match="'events'"):
        store.migrate()
    store.close()
    assert database.schema() == before


@pytest.mark.slow
def test_a_schema_at_head_is_recognised_without_alembic(store: Store, database: Database) -> None:
    """Loading it would cost every start a sixth of a second."""
    program = (
        "import sys; from gigawatt.store import open_store\n"
        f"store = open_store({database.url!r}); store.migrate(); store.close()\n"
        "assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
