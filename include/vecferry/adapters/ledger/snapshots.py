"""A router's snapshot in one statement: pin, routing, migration and journal as of one moment, in one round trip."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, literal, select

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
    of_migration = journal.c.migration_id == migrations.c.id
    some = select(literal(1).label("row")).where(of_migration).limit(COUNTED_ROWS).correlate(migrations).subquery()
    oldest = select(journal.c.opened_at).where(of_migration).order_by(journal.c.id).limit(1)
    return (
        select(
            pins.c.document,
            *(column.label(f"routing_{column.name}") for column in routing.c),
            *(column.label(f"migration_{column.name}") for column in migrations.c),
            select(func.count()).select_from(some).scalar_subquery().label("journal_rows"),
            oldest.correlate(migrations).scalar_subquery().label("oldest"),
            now().label("now"),
        )
        .join(routing, routing.c.pin == pins.c.name)
        .join(migrations, (migrations.c.pin == pins.c.name) & is_active, isouter=True)
        .where(pins.c.name == bindparam("pin"))
    )


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
