"""What time is charged by, and what is counted beside it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for name in ("sku", "plan", "reservation"):
        op.add_column("entries", sa.Column(name, KEY, nullable=False, server_default=""))
    op.create_table(
        "meters",
        sa.Column("row", ROW, primary_key=True, autoincrement=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("meter", KEY, nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("tenant", KEY, nullable=False),
        sa.Column("project", KEY, nullable=False),
        sa.Column("subject", KEY, nullable=False),
        sa.Column("sku", KEY, nullable=False),
        sa.Column("key", KEY, nullable=False),
    )
    op.create_index("meters_by_time", "meters", ["at_ms"])
