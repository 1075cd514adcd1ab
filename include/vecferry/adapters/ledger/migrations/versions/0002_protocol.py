"""A migration fixes its protocol (rule 18); a person may end a dead router's lease; code of the revision before goes on.

Expand only: code of revision 0001 that has the ledger open lives with all of it.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, DateTime, Integer, Text

from vecferry.adapters.ledger.migrations.second_triggers import POSTGRESQL, SQLITE

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MOMENT = DateTime(timezone=True)


def upgrade() -> None:
    # The default is for code of revision 0001, which speaks protocol 1 and does not know the column.
    op.add_column("migrations", Column("protocol_version", Integer, nullable=False, server_default="1"))
    op.add_column("routers", Column("dismissed_at", _MOMENT))
    works_with = op.create_table("works_with", Column("revision", Text, primary_key=True))
    op.bulk_insert(works_with, [{"revision": "0001"}, {"revision": revision}])
    op.create_table("host_clock", Column("boot", Text, primary_key=True), Column("began_at", _MOMENT, nullable=False))
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
