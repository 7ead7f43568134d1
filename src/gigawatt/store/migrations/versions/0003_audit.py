"""The audit record, and keys by how they begin."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PREFIXES = {
    "sqlite": "json_extract(body, '$.prefix')",
    "postgresql": "body::json ->> 'prefix'",
}


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", ROW, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("tenant", KEY, nullable=False),
        sa.Column("project", KEY, nullable=False),
        sa.Column("actor", KEY, nullable=False),
        sa.Column("verb", KEY, nullable=False),
        sa.Column("target", KEY, nullable=False),
        sa.Column("outcome", KEY, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
    )
    op.create_index("audit_by_tenant", "audit", ["tenant", "seq"], unique=False)
    op.create_table(
        "audit_chain",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("anchor_seq", sa.BigInteger(), nullable=False),
        sa.Column("anchor_hash", sa.Text(), nullable=False),
        sa.Column("head_seq", sa.BigInteger(), nullable=False),
        sa.Column("head_hash", sa.Text(), nullable=False),
    )
    op.execute("INSERT INTO audit_chain VALUES (1, 0, '', 0, '')")
    prefix = PREFIXES[op.get_bind().dialect.name]
    op.execute(f"UPDATE objects SET parent = {prefix} WHERE kind = 'ApiKey'")  # noqa: S608 - a constant
