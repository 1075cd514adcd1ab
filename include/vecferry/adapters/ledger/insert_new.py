"""Insert what is not there yet, leave what is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """``ON CONFLICT DO NOTHING`` on the table's primary key."""
    if not rows:
        return
    insertion = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    key = [column.name for column in table.primary_key]
    connection.execute(insertion(table).on_conflict_do_nothing(index_elements=key), list(rows))
