"""Which databases open, how SQLite is set up, and what is said of those that cannot be used."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.store import open_store
from gigawatt.store.sql_store import SqlStore


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[SqlStore]:
    store = open_store(f"sqlite:///{tmp_path / 'gigawatt.db'}")
    assert isinstance(store, SqlStore)
    store.migrate()
    yield store
    store.close()


@pytest.mark.parametrize("url", ["mysql://host/db", "gigawatt.db", "", "sqlite://", "postgres:"])
def test_an_unknown_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(RefusalError) as caught:
        open_store(url)
    assert (caught.value.code, caught.value.field) == (RefusalCode.INVALID, "store")
    assert "sqlite:///" in caught.value.hint


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:///:memory:"])
def test_sqlite_without_a_file_is_refused(url: str) -> None:
    with pytest.raises(RefusalError, match="needs a file"):
        open_store(url)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "gigawatt.db"
    with pytest.raises(RefusalError, match="No such file or directory") as caught:
        open_store(f"sqlite:///{path}")
    assert str(path) in caught.value.detail


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "gigawatt.db"
    path.write_text("a shopping list\n" * 500)
    store = open_store(f"sqlite:///{path}")
    with pytest.raises(RefusalError, match="not a database"):
        store.migrate()
    store.close()
    assert path.read_text().startswith("a shopping list")


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    """What means something in a URL means nothing here."""
    path = tmp_path / "100%25 a?b#c&d=e"
    store = open_store(f"sqlite:///{path}")
    store.migrate()
    store.close()
    assert path.stat().st_size > 0


def test_nobody_else_can_read_the_file_its_log_or_its_index(
    opened: SqlStore, tmp_path: Path
) -> None:
    opened.inbox_put("secret", now_ms=1)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {
        "gigawatt.db": 0o600,
        "gigawatt.db-wal": 0o600,
        "gigawatt.db-shm": 0o600,
    }


def test_a_commit_is_on_the_disk_before_it_returns(opened: SqlStore) -> None:
    with opened._writer.begin() as connection:
        journal = connection.execute(text("PRAGMA journal_mode")).scalar_one()
        synchronous = connection.execute(text("PRAGMA synchronous")).scalar_one()
    assert (journal, synchronous) == ("wal", 2)


def test_closing_leaves_one_file_with_everything_in_it(opened: SqlStore, tmp_path: Path) -> None:
    row = opened.inbox_put("{}", now_ms=1)
    opened.close()
    assert [path.name for path in tmp_path.iterdir()] == ["gigawatt.db"]
    again = open_store(f"sqlite:///{tmp_path / 'gigawatt.db'}")
    assert [each.row for each in again.inbox_pending(limit=1)] == [row]
    again.close()


@pytest.mark.parametrize("url", ["postgresql://host:port/db", "postgresql://[::1/db"])
def test_a_url_that_cannot_be_read_is_refused(url: str) -> None:
    with pytest.raises(RefusalError, match="cannot be read"):
        open_store(url)


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    store = open_store(f"postgresql://ada:hunter2@/db?host={tmp_path}")
    with pytest.raises(RefusalError) as caught:
        store.migrate()
    store.close()
    assert caught.value.code is RefusalCode.UNAVAILABLE
    assert str(tmp_path) in caught.value.detail
    assert "hunter2" not in caught.value.detail
    assert "\n" not in caught.value.detail


@pytest.mark.slow
def test_postgresql_without_its_package_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from gigawatt.store import open_store\n"
        "from gigawatt.model.refusal import RefusalError\n"
        "try: open_store('postgresql://localhost/db')\n"
        "except RefusalError as refusal: print(refusal.hint)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout == "pip install 'gigawatt[postgres]'\n"


@pytest.mark.slow
def test_the_types_load_without_the_database_library() -> None:
    program = (
        "import sys, gigawatt.store.base, gigawatt.store\nassert 'sqlalchemy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
