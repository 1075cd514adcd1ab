"""The ledger in SQL, put together from its concerns. ``schema_version.open_ledger`` makes it."""

from __future__ import annotations

from vecferry.adapters.ledger.capacity import SqlCapacity
from vecferry.adapters.ledger.chunks import SqlChunks
from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.freeze import SqlFreeze
from vecferry.adapters.ledger.journal import SqlJournal
from vecferry.adapters.ledger.lifecycle import SqlLifecycle
from vecferry.adapters.ledger.pins import SqlPins
from vecferry.adapters.ledger.records import SqlRecords
from vecferry.adapters.ledger.routing import SqlRouting
from vecferry.adapters.ledger.row_sets import SqlRowSets
from vecferry.adapters.ledger.spending import SqlSpending


class SqlLedger(
    SqlPins, SqlLifecycle, SqlFreeze, SqlJournal, SqlRouting, SqlChunks, SqlRecords, SqlRowSets, SqlSpending, SqlCapacity
):
    """On SQLite or PostgreSQL; safe across threads and after a fork. Leases and ages are on the database's clock."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        self._database.close()
