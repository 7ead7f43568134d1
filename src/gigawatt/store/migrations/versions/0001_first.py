"""The first schema."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _objects()
    _leader()
    _events()
    _receipts()
    _entries()
    _inbox()


def _objects() -> None:
    op.create_table(
        "objects",
        sa.Column("kind", KEY, primary_key=True),
        sa.Column("id", KEY, primary_key=True),
        sa.Column("tenant", KEY, nullable=False),
        sa.Column("project", KEY, nullable=False),
        sa.Column("name", KEY),
        sa.Column("parent", KEY),
        sa.Column("phase", KEY, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
    )
    time = ["created_ms", "id"]
    name = ["kind", "tenant", "project", "name", *time]
    _index("objects_by_name", "objects", name, where=("name IS NOT NULL", "name IS NOT NULL"))
    parent = ["kind", "parent", *time]
    _index(
        "objects_by_parent", "objects", parent, where=("parent IS NOT NULL", "parent IS NOT NULL")
    )
    _index("objects_by_phase", "objects", ["kind", "phase", *time, "tenant", "project"])
    _index("objects_by_tenant", "objects", ["kind", "tenant", *time, "project", "phase"])
    _index("objects_by_time", "objects", ["kind", *time])
    _index("objects_live", "objects", ["live", "kind", *time], where=("live IS 1", "live IS true"))


def _leader() -> None:
    leader = op.create_table(
        "leader",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("newest_seq", sa.BigInteger(), nullable=False),
    )
    row = {"id": 1, "epoch": 0, "holder": "", "until_ms": 0, "newest_seq": 0}
    op.bulk_insert(leader, [row])


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", ROW, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("tenant", KEY, nullable=False),
        sa.Column("project", KEY, nullable=False),
        sa.Column("subject", KEY, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
    )
    _index("events_by_subject", "events", ["subject", "seq"])


def _receipts() -> None:
    op.create_table(
        "receipts",
        sa.Column("key", KEY, primary_key=True),
        sa.Column("tenant", KEY, primary_key=True),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    _index("receipts_by_time", "receipts", ["at_ms"])


def _entries() -> None:
    op.create_table(
        "entries",
        sa.Column("row", ROW, primary_key=True, autoincrement=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("node", KEY, nullable=False),
        sa.Column("unit", KEY, nullable=False),
        sa.Column("time_class", KEY, nullable=False),
        sa.Column("unit_ms", sa.BigInteger(), nullable=False),
        sa.Column("tenant", KEY, nullable=False),
        sa.Column("project", KEY, nullable=False),
        sa.Column("gang", KEY, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
    )
    _index("entries_by_gang", "entries", ["gang"])
    _index("entries_by_time", "entries", ["at_ms"])


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("row", ROW, primary_key=True, autoincrement=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("reply", sa.Text()),
        sa.Column("replied_ms", sa.BigInteger()),
        sqlite_autoincrement=True,
    )
    _index("inbox_pending", "inbox", ["row"], where=("reply IS NULL", "reply IS NULL"))


def _index(
    name: str, table: str, columns: list[str], *, where: tuple[str, str] | None = None
) -> None:
    """`where` makes it partial: the condition as SQLite and as PostgreSQL write it."""
    conditions: dict[str, Any] = {}
    if where is not None:
        conditions = {"sqlite_where": sa.text(where[0]), "postgresql_where": sa.text(where[1])}
    op.create_index(name, table, columns, unique=False, **conditions)
