"""Settled requests may be summed up in one row: at a hundred million objects there are millions of them.

Expand only: code of the revisions before leaves a row a request, and reads none of them.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column

from vecferry.adapters.ledger.migrations.fourth_triggers import POSTGRESQL, SQLITE

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("spend", Column("requests", BigInteger, nullable=False, server_default="1"))
    op.add_column("spend", Column("through", BigInteger))
    op.execute(f"INSERT INTO works_with (revision) VALUES ('{revision}')")
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
