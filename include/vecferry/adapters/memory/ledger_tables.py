"""The memory ledger's tables: dicts behind one lock, which is the transaction."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vecferry.adapters.ledger import refusals
from vecferry.domain.capacity import CapacityState
from vecferry.domain.chunks import Chunk
from vecferry.domain.journal import JournalRow
from vecferry.domain.lifecycle import Migration
from vecferry.domain.pins import Pin
from vecferry.domain.routing import Arm, Lease, Mode, Routing
from vecferry.domain.telemetry import Observation
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Clock, Event

ChunkRange = tuple[str, str, str, str]
"""Migration, tenant (empty for none), start, end."""


@dataclass(frozen=True)
class Entry:
    """A journal row as stored; its age is counted from ``opened_at``, whoever owns it by now."""

    row: JournalRow
    opened_at: datetime


@dataclass(frozen=True)
class Reservation:
    pin: str
    migration_id: str | None
    purpose: str
    tokens: int
    cost_usd: float
    settled: bool = False


class Tables:
    """Hold ``lock`` for a whole transaction; check everything before changing anything."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.row_ids = itertools.count(1)
        self.reservation_ids = itertools.count(1)
        self.pins: dict[str, Pin] = {}
        self.migrations: dict[str, Migration] = {}
        self.routings: dict[str, list[Routing]] = {}
        self.journal: dict[int, Entry] = {}
        self.leases: dict[tuple[str, str], Lease] = {}
        self.chunks: dict[ChunkRange, Chunk] = {}
        self.observations: dict[tuple[str, int, Arm], Observation] = {}
        self.verdicts: list[tuple[str, datetime, Verdict]] = []
        self.events: list[Event] = []
        self.reservations: dict[int, Reservation] = {}
        self.notices: dict[str, Mapping[str, Any]] = {}
        self.golden: dict[str, list[Mapping[str, Any]]] = {}
        self.measurements: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        self.capacity: dict[tuple[str, str], CapacityState] = {}

    def pin(self, name: str) -> Pin:
        if name not in self.pins:
            raise refusals.no_pin(name, self.pins)
        return self.pins[name]

    def migration(self, migration_id: str) -> Migration:
        if migration_id not in self.migrations:
            raise refusals.no_migration(migration_id, self.migrations)
        return self.migrations[migration_id]

    def active(self, pin: str) -> Migration | None:
        return next((m for m in self.migrations.values() if m.pin == pin and not m.ended), None)

    def routing(self, pin: str) -> Routing:
        self.pin(pin)
        return self.routings[pin][-1]

    def was_dual(self, migration: Migration) -> bool:
        return any(r.migration_id == migration.id and r.mode is not Mode.LIVE_ONLY for r in self.routings[migration.pin])

    def entries(self, migration_id: str) -> list[Entry]:
        """Ascending by id: dicts keep the order of insertion, and a claim replaces in place."""
        return [entry for entry in self.journal.values() if entry.row.migration_id == migration_id]

    def age_s(self, entry: Entry) -> float:
        return max(0.0, (self.clock.now() - entry.opened_at).total_seconds())
