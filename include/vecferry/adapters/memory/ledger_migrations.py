"""Migrations in memory: start, move, publish, pause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vecferry.adapters.ledger import history, refusals, routing_rules
from vecferry.adapters.memory.ledger_tables import Tables
from vecferry.domain.budget import BUDGET
from vecferry.domain.lifecycle import LIVE_MODEL_GONE, Migration, Phase
from vecferry.domain.routing import Mode, Routing


class MemoryMigrations:
    _tables: Tables

    def start_migration(self, migration: Migration, *, who: str, why: str) -> Migration:
        tables = self._tables
        with tables.lock:
            self._check_start(migration)
            started = replace(migration, version=1)
            tables.migrations[started.id] = started
            tables.events.append(history.started(started, at=tables.clock.now(), who=who, why=why))
            return started

    def _check_start(self, migration: Migration) -> None:
        tables = self._tables
        pin, active = tables.pin(migration.pin), tables.active(migration.pin)
        if (migration.phase, migration.percent) != (Phase.PLANNED, 0):
            raise refusals.not_planned(migration)
        if migration.id in tables.migrations:
            raise refusals.same_migration_id(migration.id)
        if active is not None:
            raise refusals.second_migration(migration.pin, active.id)
        if migration.spec.live != pin.collection:
            raise refusals.pin_moved_meanwhile(migration, pin)
        for earlier in tables.migrations.values():
            if (earlier.pin, earlier.spec.shadow) == (migration.pin, migration.spec.shadow):
                raise refusals.shadow_used_before(migration, earlier.id)

    def migration(self, migration_id: str) -> Migration:
        with self._tables.lock:
            return self._tables.migration(migration_id)

    def active_migration(self, pin: str) -> Migration | None:
        with self._tables.lock:
            return self._tables.active(pin)

    def migrations(self, pin: str | None = None) -> list[Migration]:
        with self._tables.lock:
            return [m for m in reversed(self._tables.migrations.values()) if pin in (None, m.pin)]

    def move(
        self, migration: Migration, to: Phase, *, who: str, why: str, routing: tuple[Mode, int] | None = None
    ) -> Migration:
        tables = self._tables
        with tables.lock:
            stored = tables.migration(migration.id)
            routing_rules.check_move(migration, stored, to)
            mode, percent = routing or routing_rules.standing(tables.routing(stored.pin), stored)
            moved = replace(stored, phase=to, percent=percent, version=stored.version + 1)
            self._check_routable(moved, mode, percent)
            tables.migrations[moved.id] = moved
            tables.events.append(history.moved(stored, moved, at=tables.clock.now(), who=who, why=why))
            if routing is not None:
                self._publish(moved, mode, percent, who=who, why=why)
            return moved

    def publish(self, migration: Migration, mode: Mode, percent: int, *, who: str, why: str) -> Routing:
        tables = self._tables
        with tables.lock:
            stored = tables.migration(migration.id)
            routing_rules.check_unmoved(migration, stored)
            if stored.ended:
                raise refusals.already_ended(stored)
            self._check_routable(stored, mode, percent)
            return self._publish(stored, mode, percent, who=who, why=why)

    def _check_routable(self, migration: Migration, mode: Mode, percent: int) -> None:
        current, was_dual = self._tables.routing(migration.pin), self._tables.was_dual(migration)
        routing_rules.check_routable(migration, current, mode, percent, was_dual=was_dual)

    def _publish(self, migration: Migration, mode: Mode, percent: int, *, who: str, why: str) -> Routing:
        tables, now = self._tables, self._tables.clock.now()
        current = tables.routing(migration.pin)
        routing = routing_rules.successor(current, migration, mode, percent, why=why, at=now)
        tables.routings[migration.pin].append(routing)
        tables.events.append(history.published(routing, at=now, who=who, why=why))
        return routing

    def set_paused(self, migration_id: str, reason: str | None, *, who: str) -> None:
        tables = self._tables
        with tables.lock:
            migration = tables.migration(migration_id)
            tables.migrations[migration_id] = replace(migration, paused=reason)
            tables.events.append(history.paused(migration, reason, at=tables.clock.now(), who=who))

    def set_live_model_gone(self, migration_id: str, gone: bool, *, who: str, why: str) -> None:
        tables = self._tables
        with tables.lock:
            stored = tables.migration(migration_id)
            if stored.ended:
                raise refusals.already_ended(stored)
            if stored.live_model_gone is not gone:
                tables.migrations[migration_id] = replace(stored, options={**stored.options, LIVE_MODEL_GONE: gone})
                tables.events.append(history.live_model(stored, gone, at=tables.clock.now(), who=who, why=why))

    def set_budget(self, migration_id: str, usd: float | None, *, who: str, why: str) -> None:
        tables = self._tables
        with tables.lock:
            stored = tables.migration(migration_id)
            if stored.ended:
                raise refusals.already_ended(stored)
            if stored.options.get(BUDGET) != usd:
                tables.migrations[migration_id] = replace(stored, options={**stored.options, BUDGET: usd})
                tables.events.append(history.budget(stored, usd, at=tables.clock.now(), who=who, why=why))

    def save_plan(self, migration_id: str, plan: Mapping[str, Any]) -> None:
        with self._tables.lock:
            migration = self._tables.migration(migration_id)
            self._tables.migrations[migration_id] = replace(migration, plan=dict(plan))
