"""The freeze of ``retire`` in SQL: either the flip wins, or the undoing; both hold the routing row."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from sqlalchemy import Connection, func, select

from vecferry.adapters.ledger import history, routing_rules, stored_migration, stored_routing
from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.leases import leases_of
from vecferry.adapters.ledger.pins import write_pin
from vecferry.adapters.ledger.stored_events import clock_of, record
from vecferry.adapters.ledger.tables import chunks, journal
from vecferry.domain.chunks import ChunkState
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.routing import Mode, Routing


class SqlFreeze:
    _database: Database

    def undo_freeze(self, pin: str, version: int, *, who: str, why: str) -> bool:
        return self._database.write(partial(_undo, pin=pin, version=version, who=who, why=why))

    def flip(self, migration: Migration, version: int, new_pin: Pin, *, quarantine_s: float, who: str) -> None:
        self._database.write(
            partial(_flip, given=migration, version=version, new_pin=new_pin, quarantine_s=quarantine_s, who=who)
        )


def _undo(connection: Connection, *, pin: str, version: int, who: str, why: str) -> bool:
    current = stored_routing.locked(connection, pin)
    if (current.version, current.mode) != (version, Mode.FREEZE):
        return False
    at = clock_of(connection)
    stored = stored_routing.replace_by(connection, routing_rules.unfrozen(current, why=why, at=at))
    record(connection, history.unfrozen(stored, at=at, who=who, why=why))
    return True


def _flip(connection: Connection, *, given: Migration, version: int, new_pin: Pin, quarantine_s: float, who: str) -> None:
    current = stored_routing.locked(connection, stored_migration.by_id(connection, given.id).pin)
    stored = stored_migration.by_id(connection, given.id, lock=True)
    ready = _readiness(connection, stored, current)
    routing_rules.check_flip(given, stored, version, new_pin, ready, quarantine_s)
    retired = replace(stored, phase=Phase.RETIRED, version=stored.version + 1)
    write_pin(connection, new_pin)
    stored_migration.write_move(connection, stored, retired)
    at = clock_of(connection)
    routing = stored_routing.replace_by(connection, routing_rules.flipped(current, retired, new_pin, at=at))
    record(connection, history.moved(stored, retired, at=at, who=who, why="retire"))
    record(connection, history.published(routing, at=at, who=who, why="retire"))


def _readiness(connection: Connection, migration: Migration, current: Routing) -> routing_rules.Readiness:
    """Read after the lock was had: whoever opened a row before it has committed, whoever comes after is refused."""
    now = clock_of(connection)
    is_open = (chunks.c.migration_id == migration.id) & (chunks.c.state == ChunkState.OPEN.value)
    return routing_rules.Readiness(
        current,
        leases_of(connection, migration.pin),
        connection.execute(select(func.count()).select_from(chunks).where(is_open)).scalar_one(),
        connection.execute(select(func.count()).where(journal.c.migration_id == migration.id)).scalar_one(),
        now,
    )
