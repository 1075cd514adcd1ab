"""What all workers together use of a provider's limits a minute.

Expand only: code of the revisions before keeps to the limits by itself, each process on its own.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import JSON, Column, DateTime, PrimaryKeyConstraint, Text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "capacity",
        Column("account", Text, nullable=False),
        Column("model", Text, nullable=False),
        Column("began_at", DateTime(timezone=True), nullable=False),
        Column("state", JSON, nullable=False),
        PrimaryKeyConstraint("account", "model", name="capacity_key"),
    )
    op.execute(f"INSERT INTO works_with (revision) VALUES ('{revision}')")
