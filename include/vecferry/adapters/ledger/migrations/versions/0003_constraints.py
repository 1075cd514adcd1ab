"""What must always hold is held against plain SQL too; the journal by migration and age, for pages of a million rows.

Expand only: code of the revisions before that has the ledger open lives with all of it.
"""

from __future__ import annotations

from alembic import op

from vecferry.adapters.ledger.migrations.third_triggers import POSTGRESQL, SQLITE

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("journal_order", "journal", ["migration_id", "id"])
    op.execute(f"INSERT INTO works_with (revision) VALUES ('{revision}')")
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
