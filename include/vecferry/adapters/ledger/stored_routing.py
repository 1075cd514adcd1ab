"""The routing row: read, locked, replaced by its next version. Its lock is what the freeze and the journal agree on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, exists, insert, select, update
from sqlalchemy.engine import RowMapping

from vecferry.adapters.ledger import refusals
from vecferry.adapters.ledger.database_clock import now
from vecferry.adapters.ledger.routing_turn import my_turn
from vecferry.adapters.ledger.tables import pins, routing, routing_versions
from vecferry.domain.lifecycle import Migration
from vecferry.domain.routing import Mode, Routing


def routing_of(row: RowMapping) -> Routing:
    return Routing(**{**row, "mode": Mode(row["mode"])})


def columns(value: Routing) -> dict[str, Any]:
    """``published_at`` is the ledger's own clock, whatever the value says."""
    names = ("pin", "version", "percent", "authority", "migration_id", "reason")
    return {name: getattr(value, name) for name in names} | {"mode": value.mode.value, "published_at": now()}


def locked(connection: Connection, pin: str, *, shared: bool = False) -> Routing:
    """The current version, which nobody replaces before this transaction ends. ``shared`` lets other sharers in.

    On SQLite the transaction itself (BEGIN IMMEDIATE) is the lock.
    """
    query = select(routing).where(my_turn(shared=shared), routing.c.pin == pin)
    return _current(connection, query.with_for_update(read=shared), pin)


def current(connection: Connection, pin: str) -> Routing:
    return _current(connection, select(routing).where(routing.c.pin == pin), pin)


def _current(connection: Connection, query: Select[Any], pin: str) -> Routing:
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise refusals.no_pin(pin, connection.execute(select(pins.c.name)).scalars())
    return routing_of(row)


def begin_history(connection: Connection, first: Routing) -> None:
    """For a new pin: version 1."""
    connection.execute(insert(routing_versions).values(columns(first)))
    connection.execute(insert(routing).values(columns(first)))


def replace_by(connection: Connection, following: Routing) -> Routing:
    """History first, then the current row (a foreign key holds that order); as stored, with its time."""
    insertion = insert(routing_versions).values(columns(following)).returning(routing_versions)
    stored = routing_of(connection.execute(insertion).mappings().one())
    values = columns(following) | {"published_at": stored.published_at}
    connection.execute(update(routing).where(routing.c.pin == stored.pin).values(values))
    return stored


def was_dual(connection: Connection, migration: Migration) -> bool:
    """An earlier routing version of this migration wrote to both collections."""
    versions = routing_versions.c
    wrote_both = (versions.pin == migration.pin) & (versions.migration_id == migration.id) & (versions.mode != Mode.LIVE_ONLY)
    return bool(connection.execute(select(exists().where(wrote_both))).scalar())
