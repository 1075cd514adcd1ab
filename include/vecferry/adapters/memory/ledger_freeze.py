"""The freeze of ``retire`` in memory: either the flip wins, or the undoing."""

from __future__ import annotations

from dataclasses import replace

from vecferry.adapters.ledger import history, routing_rules
from vecferry.adapters.memory.ledger_tables import Tables
from vecferry.domain.chunks import ChunkState
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.routing import Mode


class MemoryFreeze:
    _tables: Tables

    def undo_freeze(self, pin: str, version: int, *, who: str, why: str) -> bool:
        tables, now = self._tables, self._tables.clock.now()
        with tables.lock:
            current = tables.routing(pin)
            if (current.version, current.mode) != (version, Mode.FREEZE):
                return False
            routing = routing_rules.unfrozen(current, why=why, at=now)
            tables.routings[pin].append(routing)
            tables.events.append(history.unfrozen(routing, at=now, who=who, why=why))
            return True

    def flip(self, migration: Migration, version: int, new_pin: Pin, *, quarantine_s: float, who: str) -> None:
        tables, now = self._tables, self._tables.clock.now()
        with tables.lock:
            stored = tables.migration(migration.id)
            routing_rules.check_flip(migration, stored, version, new_pin, self._readiness(stored), quarantine_s)
            retired = replace(stored, phase=Phase.RETIRED, version=stored.version + 1)
            routing = routing_rules.flipped(tables.routing(stored.pin), retired, new_pin, at=now)
            tables.pins[new_pin.name] = new_pin
            tables.migrations[retired.id] = retired
            tables.routings[stored.pin].append(routing)
            tables.events.append(history.moved(stored, retired, at=now, who=who, why="retire"))
            tables.events.append(history.published(routing, at=now, who=who, why="retire"))

    def _readiness(self, migration: Migration) -> routing_rules.Readiness:
        tables = self._tables
        chunks = [c for c in tables.chunks.values() if c.migration_id == migration.id and c.state is ChunkState.OPEN]
        return routing_rules.Readiness(
            tables.routing(migration.pin),
            [lease for lease in tables.leases.values() if lease.pin == migration.pin],
            len(chunks),
            len(tables.entries(migration.id)),
            tables.clock.now(),
        )
