"""When an arm last answered, per routing version: what the report says of a rollback and of the old collection.

Expand only: code of the revisions before leaves it empty.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, DateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("observations", Column("last_served_at", DateTime(timezone=True)))
    op.execute(f"INSERT INTO works_with (revision) VALUES ('{revision}')")
