"""Migrations in SQL: start, move, publish, pause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Connection, insert, select, update

from vecferry.adapters.ledger import history, refusals, routing_rules, stored_migration, stored_routing
from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.pins import read_pin
from vecferry.adapters.ledger.stored_events import clock_of, record
from vecferry.adapters.ledger.tables import migrations
from vecferry.domain.budget import BUDGET
from vecferry.domain.lifecycle import LIVE_MODEL_GONE, Migration, Phase
from vecferry.domain.routing import Mode, Routing


class SqlLifecycle:
    _database: Database

    def start_migration(self, migration: Migration, *, who: str, why: str) -> Migration:
        return self._database.write(partial(_start, migration=migration, who=who, why=why))

    def migration(self, migration_id: str) -> Migration:
        return self._database.read(lambda connection: stored_migration.by_id(connection, migration_id))

    def active_migration(self, pin: str) -> Migration | None:
        return self._database.read(lambda connection: stored_migration.active_of(connection, pin))

    def migrations(self, pin: str | None = None) -> list[Migration]:
        query = select(migrations).order_by(migrations.c.number.desc())
        query = query if pin is None else query.where(migrations.c.pin == pin)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [stored_migration.migration_of(row) for row in rows]

    def move(
        self, migration: Migration, to: Phase, *, who: str, why: str, routing: tuple[Mode, int] | None = None
    ) -> Migration:
        return self._database.write(partial(_move, given=migration, to=to, routing=routing, who=who, why=why))

    def publish(self, migration: Migration, mode: Mode, percent: int, *, who: str, why: str) -> Routing:
        return self._database.write(partial(_publish, given=migration, mode=mode, percent=percent, who=who, why=why))

    def set_paused(self, migration_id: str, reason: str | None, *, who: str) -> None:
        self._database.write(partial(_pause, migration_id=migration_id, reason=reason, who=who))

    def set_live_model_gone(self, migration_id: str, gone: bool, *, who: str, why: str) -> None:
        self._database.write(partial(_set_live_model_gone, migration_id=migration_id, gone=gone, who=who, why=why))

    def set_budget(self, migration_id: str, usd: float | None, *, who: str, why: str) -> None:
        self._database.write(partial(_set_budget, migration_id=migration_id, usd=usd, who=who, why=why))

    def save_plan(self, migration_id: str, plan: Mapping[str, Any]) -> None:
        self._database.write(partial(_set, migration_id=migration_id, plan=dict(plan)))


def _start(connection: Connection, *, migration: Migration, who: str, why: str) -> Migration:
    stored_routing.locked(connection, migration.pin)  # one start at a time for a pin
    _check_start(connection, migration)
    started = replace(migration, version=1)
    connection.execute(insert(migrations).values(stored_migration.columns(started)))
    record(connection, history.started(started, at=clock_of(connection), who=who, why=why))
    return started


def _check_start(connection: Connection, migration: Migration) -> None:
    if (migration.phase, migration.percent) != (Phase.PLANNED, 0):
        raise refusals.not_planned(migration)
    if connection.execute(select(migrations.c.id).where(migrations.c.id == migration.id)).scalar():
        raise refusals.same_migration_id(migration.id)
    active = stored_migration.active_of(connection, migration.pin)
    if active is not None:
        raise refusals.second_migration(migration.pin, active.id)
    pin = read_pin(connection, migration.pin)
    if migration.spec.live != pin.collection:
        raise refusals.pin_moved_meanwhile(migration, pin)
    same_shadow = (migrations.c.pin == pin.name) & (migrations.c.shadow == migration.spec.shadow)
    earlier = connection.execute(select(migrations.c.id).where(same_shadow)).scalar()
    if earlier is not None:
        raise refusals.shadow_used_before(migration, earlier)


def _move(
    connection: Connection, *, given: Migration, to: Phase, routing: tuple[Mode, int] | None, who: str, why: str
) -> Migration:
    current = _lock(connection, given)
    stored = stored_migration.by_id(connection, given.id, lock=True)
    routing_rules.check_move(given, stored, to)
    mode, percent = routing or routing_rules.standing(current, stored)
    moved = replace(stored, phase=to, percent=percent, version=stored.version + 1)
    _check_routable(connection, moved, current, mode, percent)
    stored_migration.write_move(connection, stored, moved)
    record(connection, history.moved(stored, moved, at=clock_of(connection), who=who, why=why))
    if routing is not None:
        _publish_next(connection, moved, current, mode, percent, who=who, why=why)
    return moved


def _publish(connection: Connection, *, given: Migration, mode: Mode, percent: int, who: str, why: str) -> Routing:
    current = _lock(connection, given)
    stored = stored_migration.by_id(connection, given.id, lock=True)
    routing_rules.check_unmoved(given, stored)
    if stored.ended:
        raise refusals.already_ended(stored)
    _check_routable(connection, stored, current, mode, percent)
    return _publish_next(connection, stored, current, mode, percent, who=who, why=why)


def _lock(connection: Connection, given: Migration) -> Routing:
    """The pin as the ledger knows it, not as the caller says."""
    return stored_routing.locked(connection, stored_migration.by_id(connection, given.id).pin)


def _check_routable(connection: Connection, migration: Migration, current: Routing, mode: Mode, percent: int) -> None:
    was_dual = stored_routing.was_dual(connection, migration)
    routing_rules.check_routable(migration, current, mode, percent, was_dual=was_dual)


def _publish_next(
    connection: Connection, migration: Migration, current: Routing, mode: Mode, percent: int, *, who: str, why: str
) -> Routing:
    at = clock_of(connection)
    following = routing_rules.successor(current, migration, mode, percent, why=why, at=at)
    stored = stored_routing.replace_by(connection, following)
    record(connection, history.published(stored, at=at, who=who, why=why))
    return stored


def _pause(connection: Connection, *, migration_id: str, reason: str | None, who: str) -> None:
    _set(connection, migration_id=migration_id, paused=reason)
    migration = stored_migration.by_id(connection, migration_id)
    record(connection, history.paused(migration, reason, at=clock_of(connection), who=who))


def _set_live_model_gone(connection: Connection, *, migration_id: str, gone: bool, who: str, why: str) -> None:
    """Under the locks of a move: a rollback is before it, or refused by it."""
    stored_routing.locked(connection, stored_migration.by_id(connection, migration_id).pin)
    stored = stored_migration.by_id(connection, migration_id, lock=True)
    if stored.ended:
        raise refusals.already_ended(stored)
    if stored.live_model_gone is not gone:
        _set(connection, migration_id=migration_id, options={**stored.options, LIVE_MODEL_GONE: gone})
        record(connection, history.live_model(stored, gone, at=clock_of(connection), who=who, why=why))


def _set_budget(connection: Connection, *, migration_id: str, usd: float | None, who: str, why: str) -> None:
    stored = stored_migration.by_id(connection, migration_id, lock=True)
    if stored.ended:
        raise refusals.already_ended(stored)
    if stored.options.get(BUDGET) != usd:
        _set(connection, migration_id=migration_id, options={**stored.options, BUDGET: usd})
        record(connection, history.budget(stored, usd, at=clock_of(connection), who=who, why=why))


def _set(connection: Connection, *, migration_id: str, **values: Any) -> None:
    """What may change without a move; the version stays, so that nobody's compare-and-set is lost by it."""
    if connection.execute(update(migrations).where(migrations.c.id == migration_id).values(values)).rowcount != 1:
        stored_migration.by_id(connection, migration_id)
