"""Sets of JSON rows that are replaced as a whole: the golden set of a pin, the measurements of a stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from vecferry.adapters.ledger import refusals, stored_migration, stored_routing
from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.tables import golden, measurements


class SqlRowSets:
    _database: Database

    def save_golden(self, pin: str, rows: Sequence[Mapping[str, Any]]) -> None:
        refusals.refuse_repeated_queries(pin, [row["query_id"] for row in rows])
        self._database.write(partial(_save_golden, pin=pin, rows=rows))

    def golden(self, pin: str) -> list[Mapping[str, Any]]:
        return self._database.read(partial(_rows, table=golden, of={"pin": pin}))

    def save_measurements(self, migration_id: str, stage: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._database.write(partial(_save_measurements, migration_id=migration_id, stage=stage, rows=rows))

    def measurements(self, migration_id: str, stage: str) -> list[Mapping[str, Any]]:
        return self._database.read(partial(_rows, table=measurements, of={"migration_id": migration_id, "stage": stage}))


def _save_golden(connection: Connection, *, pin: str, rows: Sequence[Mapping[str, Any]]) -> None:
    stored_routing.locked(connection, pin)  # two imports at once: one after the other, not interleaved
    _replace(connection, golden, {"pin": pin}, [{"query_id": row["query_id"], "document": dict(row)} for row in rows])


def _save_measurements(connection: Connection, *, migration_id: str, stage: str, rows: Sequence[Mapping[str, Any]]) -> None:
    stored_migration.by_id(connection, migration_id, lock=True)
    of = {"migration_id": migration_id, "stage": stage}
    _replace(connection, measurements, of, [{"document": dict(row)} for row in rows])


def _replace(connection: Connection, table: Table, of: Mapping[str, str], rows: Sequence[dict[str, Any]]) -> None:
    connection.execute(delete(table).where(*(table.c[name] == value for name, value in of.items())))
    if rows:
        connection.execute(insert(table), [{**of, **row, "place": place} for place, row in enumerate(rows)])


def _rows(connection: Connection, *, table: Table, of: Mapping[str, str]) -> list[Mapping[str, Any]]:
    ours = [table.c[name] == value for name, value in of.items()]
    return list(connection.execute(select(table.c.document).where(*ours).order_by(table.c.place)).scalars())
