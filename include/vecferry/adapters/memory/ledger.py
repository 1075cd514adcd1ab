"""The ledger as a fake that keeps every promise of the real one but durability."""

from __future__ import annotations

from vecferry.adapters.memory.ledger_capacity import MemoryCapacity
from vecferry.adapters.memory.ledger_chunks import MemoryChunks
from vecferry.adapters.memory.ledger_freeze import MemoryFreeze
from vecferry.adapters.memory.ledger_journal import MemoryJournal
from vecferry.adapters.memory.ledger_migrations import MemoryMigrations
from vecferry.adapters.memory.ledger_pins import MemoryPins
from vecferry.adapters.memory.ledger_records import MemoryRecords
from vecferry.adapters.memory.ledger_routing import MemoryRouting
from vecferry.adapters.memory.ledger_row_sets import MemoryRowSets
from vecferry.adapters.memory.ledger_tables import Tables
from vecferry.ports import Clock


class MemoryLedger(
    MemoryPins,
    MemoryMigrations,
    MemoryFreeze,
    MemoryJournal,
    MemoryRouting,
    MemoryChunks,
    MemoryRecords,
    MemoryRowSets,
    MemoryCapacity,
):
    """Thread-safe: one lock is the transaction. Ages and expiry are counted on ``clock.now()``."""

    def __init__(self, clock: Clock) -> None:
        self._tables = Tables(clock)

    def close(self) -> None: ...
