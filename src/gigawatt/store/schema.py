"""The tables, for both databases. Every kind of object shares one: columns to find it by, and the whole value as JSON.

Text that is compared or ordered is compared by its bytes in both databases. JSON is kept as text, because PostgreSQL's own
JSON types refuse the NUL characters that programs print. A change here needs a migration and its name in `REVISIONS`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    insert,
    true,
)
from sqlalchemy.schema import CreateIndex, CreateTable

REVISIONS = (
    "0001",
    "0002",
)  # oldest first; the names of the files in migrations/versions begin with them
HEAD = REVISIONS[-1]

metadata = MetaData()

_KEY = Text().with_variant(Text(collation="C"), "postgresql")
_ROW = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER can be SQLite's row number

objects = Table(
    "objects",
    metadata,
    Column("kind", _KEY, primary_key=True),  # the name of the class
    Column("id", _KEY, primary_key=True),
    Column("tenant", _KEY, nullable=False),
    Column("project", _KEY, nullable=False),
    Column("name", _KEY),  # null where the kind has no names
    Column("parent", _KEY),  # null where the kind has no parents
    Column("phase", _KEY, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
Index("objects_by_time", objects.c.kind, objects.c.created_ms, objects.c.id)
# The last two columns of the next two are there so that filters and counts need not read the objects.
Index(
    "objects_by_tenant",
    *(objects.c[name] for name in ("kind", "tenant", "created_ms", "id", "project", "phase")),
)
Index(
    "objects_by_phase",
    *(objects.c[name] for name in ("kind", "phase", "created_ms", "id", "tenant", "project")),
)
Index(
    "objects_by_name",
    *(objects.c[name] for name in ("kind", "tenant", "project", "name", "created_ms", "id")),
    sqlite_where=objects.c.name.is_not(None),
    postgresql_where=objects.c.name.is_not(None),
)
Index(
    "objects_by_parent",
    *(objects.c[name] for name in ("kind", "parent", "created_ms", "id")),
    sqlite_where=objects.c.parent.is_not(None),
    postgresql_where=objects.c.parent.is_not(None),
)
Index(
    "objects_live",
    *(objects.c[name] for name in ("live", "kind", "created_ms", "id")),
    sqlite_where=objects.c.live.is_(true()),
    postgresql_where=objects.c.live.is_(true()),
)

# One row, with id 1: who leads, since which launch of a leader, and the number of the newest event.
leader = Table(
    "leader",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("newest_seq", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("seq", _ROW, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", _KEY, nullable=False),
    Column("tenant", _KEY, nullable=False),
    Column("project", _KEY, nullable=False),
    Column("subject", _KEY, nullable=False),
    Column("body", Text, nullable=False),  # [message, data]
)
Index("events_by_subject", events.c.subject, events.c.seq)

receipts = Table(
    "receipts",
    metadata,
    Column("key", _KEY, primary_key=True),
    Column("tenant", _KEY, primary_key=True),
    Column("request_sha256", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
Index("receipts_by_time", receipts.c.at_ms)

entries = Table(
    "entries",
    metadata,
    Column("row", _ROW, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("node", _KEY, nullable=False),
    Column("unit", _KEY, nullable=False),
    Column("time_class", _KEY, nullable=False),
    Column("unit_ms", BigInteger, nullable=False),
    Column("tenant", _KEY, nullable=False),
    Column("project", _KEY, nullable=False),
    Column("gang", _KEY, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("sku", _KEY, nullable=False, server_default=""),
    Column("plan", _KEY, nullable=False, server_default=""),
    Column("reservation", _KEY, nullable=False, server_default=""),
)
Index("entries_by_gang", entries.c.gang)
Index("entries_by_time", entries.c.at_ms)

# What is counted and is no device time; as entries, never changed.
meters = Table(
    "meters",
    metadata,
    Column("row", _ROW, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("meter", _KEY, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("tenant", _KEY, nullable=False),
    Column("project", _KEY, nullable=False),
    Column("subject", _KEY, nullable=False),
    Column("sku", _KEY, nullable=False),
    Column("key", _KEY, nullable=False),
)
Index("meters_by_time", meters.c.at_ms)

inbox = Table(
    "inbox",
    metadata,
    Column("row", _ROW, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("command", Text, nullable=False),
    Column("reply", Text),
    Column("replied_ms", BigInteger),
    sqlite_autoincrement=True,  # whoever waits for a row's reply must never be given another's
)
Index(
    "inbox_pending",
    inbox.c.row,
    sqlite_where=inbox.c.reply.is_(None),
    postgresql_where=inbox.c.reply.is_(None),
)

# Alembic's own, under its name and shape, so that the revision is known without importing it.
revision = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def create(connection: Connection) -> None:
    """Make every table in an empty database at once: what all migrations together would have made.

    In the order of names, as the migrations do: where two indexes serve equally, SQLite takes the one made last.
    """
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(CreateIndex(index))
    connection.execute(
        insert(leader).values(id=1, epoch=0, holder="", until_ms=0, newest_seq=0),
    )
    connection.execute(insert(revision).values(version_num=HEAD))
