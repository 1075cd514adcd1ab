"""Golden sets and measurements in memory: replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vecferry.adapters.ledger import refusals
from vecferry.adapters.memory.ledger_tables import Tables


class MemoryRowSets:
    _tables: Tables

    def save_golden(self, pin: str, rows: Sequence[Mapping[str, Any]]) -> None:
        refusals.refuse_repeated_queries(pin, [row["query_id"] for row in rows])
        with self._tables.lock:
            self._tables.pin(pin)
            self._tables.golden[pin] = [dict(row) for row in rows]

    def golden(self, pin: str) -> list[Mapping[str, Any]]:
        with self._tables.lock:
            return list(self._tables.golden.get(pin, []))

    def save_measurements(self, migration_id: str, stage: str, rows: Sequence[Mapping[str, Any]]) -> None:
        with self._tables.lock:
            self._tables.migration(migration_id)
            self._tables.measurements[(migration_id, stage)] = [dict(row) for row in rows]

    def measurements(self, migration_id: str, stage: str) -> list[Mapping[str, Any]]:
        with self._tables.lock:
            return list(self._tables.measurements.get((migration_id, stage), []))
