"""A router's snapshot in one statement: pin, routing, migration and journal as of one moment, in one round trip."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, ScalarSelect, Select, bindparam, func, select
from sqlalchemy.engine import RowMapping

from vecferry.adapters.ledger import codec, refusals, routing_rules
from vecferry.adapters.ledger.database_clock import now
from vecferry.adapters.ledger.stored_migration import is_active, migration_of
from vecferry.adapters.ledger.stored_routing import routing_of
from vecferry.adapters.ledger.tables import journal, migrations, pins, routers, routing, routing_versions
from vecferry.domain.lifecycle import ENDED
from vecferry.domain.pins import Pin
from vecferry.domain.routing import Seen, Snapshot
from vecferry.domain.timing import COUNTED_ROWS


def _query() -> Select[Any]:
    return (
        select(
            pins.c.document,
            *(column.label(f"routing_{column.name}") for column in routing.c),
            *(column.label(f"migration_{column.name}") for column in migrations.c),
            _rows_of_active().label("journal_rows"),
            _oldest_of_active().label("oldest"),
            now().label("now"),
            _leases_of_router().label("leases"),
            _when_published().label("seen_published_at"),
        )
        .join(routing, routing.c.pin == pins.c.name)
        .join(migrations, (migrations.c.pin == pins.c.name) & is_active, isouter=True)
        .where(pins.c.name == bindparam("pin"))
    )


def _rows_of_active() -> ScalarSelect[int]:
    """Of the index alone: a million rows of an outage must not make each poll of each router slow."""
    some = select(journal.c.id).where(journal.c.migration_id == _active_id()).limit(COUNTED_ROWS).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


def _oldest_of_active() -> ScalarSelect[Any]:
    mine = journal.c.migration_id == _active_id()
    return select(journal.c.opened_at).where(mine).order_by(journal.c.migration_id, journal.c.id).limit(1).scalar_subquery()


def _active_id() -> ScalarSelect[Any]:
    mine = migrations.alias("of_pin")
    active = mine.c.phase.not_in([phase.value for phase in ENDED])
    return select(mine.c.id).where(mine.c.pin == bindparam("pin"), active).scalar_subquery()


def _leases_of_router() -> ScalarSelect[int]:
    mine = (routers.c.pin == bindparam("pin")) & (routers.c.router_id == bindparam("router_id"))
    return select(func.count()).where(mine, routers.c.dismissed_at.is_(None)).scalar_subquery()


def _when_published() -> ScalarSelect[Any]:
    seen = (routing_versions.c.pin == bindparam("pin")) & (routing_versions.c.version == bindparam("seen_version"))
    return select(routing_versions.c.published_at).where(seen).scalar_subquery()


_QUERY = _query()


def snapshot_of(connection: Connection, pin: str, *, router_id: str | None = None, since: Seen | None = None) -> Snapshot:
    given = {"pin": pin, "router_id": router_id or "", "seen_version": since.version if since else 0}
    row = connection.execute(_QUERY, given).mappings().one_or_none()
    if row is None:
        raise refusals.no_pin(pin, connection.execute(select(pins.c.name)).scalars())
    _check_asker(row, pin, router_id, since)
    active = row["migration_id"] is not None
    return Snapshot(
        codec.restored(Pin, row["document"]),
        routing_of(_part(row, "routing_")),
        migration_of(_part(row, "migration_")) if active else None,
        row["journal_rows"] if active else 0,
        max(0.0, (row["now"] - row["oldest"]).total_seconds()) if row["oldest"] is not None else 0.0,
    )


def _check_asker(row: RowMapping, pin: str, router_id: str | None, since: Seen | None) -> None:
    """The history first: whoever remembers another ledger must not register with this one."""
    current = routing_of(_part(row, "routing_"))
    if since is not None:
        known = [replace(current, version=since.version, published_at=row["seen_published_at"])]
        routing_rules.check_known(since, known if row["seen_published_at"] is not None else [], pin, current)
    if router_id is not None and not row["leases"]:
        raise refusals.lease_gone(router_id, pin)


def _part(row: Any, prefix: str) -> Any:
    return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}
