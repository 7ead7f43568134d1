"""Lists stay fast because an index gives their order: SQLite's plans say so, whatever the clock says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select
from sqlalchemy.dialects import sqlite

from gigawatt.store import listing, open_store
from gigawatt.store.base import Query
from gigawatt.store.cursor import write_cursor
from gigawatt.store.sql_store import WORLD_KINDS, SqlStore


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    path: Path = tmp_path_factory.mktemp("store") / "gigawatt.db"
    store = open_store(f"sqlite:///{path}")
    assert isinstance(store, SqlStore)
    store.migrate()
    yield store
    store.close()


def plan(store: SqlStore, statement: "Select[*tuple[Any, ...]]") -> str:
    sql = statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    with store._reader.connect() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
    return "\n".join(row.detail for row in rows)


def following(query: Query) -> Query:
    cursor = write_cursor("Job", query, created_ms=1, id="job-1")
    return Query(tenant=query.tenant, phases=query.phases, cursor=cursor)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (Query(), "objects_by_time"),
        (following(Query()), "objects_by_time"),
        (Query(tenant="acme"), "objects_by_tenant"),
        (following(Query(tenant="acme")), "objects_by_tenant"),
        (Query(tenant="acme", project="nlp"), "objects_by_tenant"),
        (Query(tenant="acme", since_ms=5, until_ms=9), "objects_by_tenant"),
        (Query(phases=("running",)), "objects_by_phase"),
        (Query(tenant="acme", project="nlp", name="train"), "objects_by_name"),
        (Query(parent="ep-1"), "objects_by_parent"),
        (Query(live_only=True), "objects_live"),
    ],
)
def test_a_page_is_read_in_the_order_of_an_index(
    opened: SqlStore, query: Query, index: str
) -> None:
    told = plan(opened, listing.page("Job", query))
    assert f"USING INDEX {index} " in told
    assert "SCAN" not in told
    assert "TEMP B-TREE" not in told


def test_a_name_is_found_in_an_index(opened: SqlStore) -> None:
    statement = listing.newest_named("Job", tenant="acme", project="nlp", name="train")
    told = plan(opened, statement)
    assert "objects_by_name" in told
    assert "TEMP B-TREE" not in told


@pytest.mark.parametrize("query", [Query(), Query(tenant="acme", project="nlp")])
def test_counting_reads_an_index_alone(opened: SqlStore, query: Query) -> None:
    assert "USING COVERING INDEX" in plan(opened, listing.counts("Job", query))


def test_a_world_is_found_among_the_live(opened: SqlStore) -> None:
    assert "objects_live" in plan(opened, listing.live(WORLD_KINDS))
