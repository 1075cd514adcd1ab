"""A router's snapshot in one statement: pin, routing, migration and journal as of one moment, in one round trip."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, Subquery, bindparam, func, select, true

from vecferry.adapters.ledger import codec, refusals
from vecferry.adapters.ledger.database_clock import now
from vecferry.adapters.ledger.stored_migration import is_active, migration_of
from vecferry.adapters.ledger.stored_routing import routing_of
from vecferry.adapters.ledger.tables import journal, migrations, pins, routing
from vecferry.domain.pins import Pin
from vecferry.domain.routing import Snapshot

COUNTED_ROWS = 100_001
"""Rows are counted no further: the limit that the count is compared with is far below."""


def _query() -> Select[Any]:
    behind = _journal_of_active()
    return (
        select(
            pins.c.document,
            *(column.label(f"routing_{column.name}") for column in routing.c),
            *(column.label(f"migration_{column.name}") for column in migrations.c),
            behind.c.journal_rows,
            behind.c.oldest,
            now().label("now"),
        )
        .join(routing, routing.c.pin == pins.c.name)
        .join(migrations, (migrations.c.pin == pins.c.name) & is_active, isouter=True)
        .join(behind, true())
        .where(pins.c.name == bindparam("pin"))
    )


def _journal_of_active() -> Subquery:
    """How many rows the pin's active migration has, and since when: one row, from one pass over the index."""
    active = (migrations.c.pin == bindparam("pin")) & is_active
    rows = select(journal.c.opened_at).join(migrations, migrations.c.id == journal.c.migration_id).where(active)
    some = rows.limit(COUNTED_ROWS).subquery()
    return select(func.count().label("journal_rows"), func.min(some.c.opened_at).label("oldest")).subquery("behind")


_QUERY = _query()


def snapshot_of(connection: Connection, pin: str) -> Snapshot:
    row = connection.execute(_QUERY, {"pin": pin}).mappings().one_or_none()
    if row is None:
        raise refusals.no_pin(pin, connection.execute(select(pins.c.name)).scalars())
    active = row["migration_id"] is not None
    return Snapshot(
        codec.restored(Pin, row["document"]),
        routing_of(_part(row, "routing_")),
        migration_of(_part(row, "migration_")) if active else None,
        row["journal_rows"] if active else 0,
        max(0.0, (row["now"] - row["oldest"]).total_seconds()) if row["oldest"] is not None else 0.0,
    )


def _part(row: Any, prefix: str) -> Any:
    return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}
