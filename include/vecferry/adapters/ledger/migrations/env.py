"""Alembic's entry: runs the revisions on the connection that schema_version.py holds, in its transaction."""

from __future__ import annotations

from alembic import context

from vecferry.adapters.ledger.schema_version import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
