"""Verdicts, events and notices in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, insert, select, update

from vecferry.adapters.ledger import codec, stored_migration
from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.database_clock import now
from vecferry.adapters.ledger.insert_new import insert_new
from vecferry.adapters.ledger.stored_events import clock_of, event_of, record
from vecferry.adapters.ledger.tables import events, notices, verdicts
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Event


class SqlRecords:
    _database: Database

    def record_verdict(self, migration_id: str, verdict: Verdict) -> None:
        self._database.write(partial(_record_verdict, migration_id=migration_id, verdict=verdict))

    def verdicts(self, migration_id: str) -> list[tuple[datetime, Verdict]]:
        query = select(verdicts).where(verdicts.c.migration_id == migration_id).order_by(verdicts.c.id)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [(row["at"], codec.restored(Verdict, row["document"])) for row in rows]

    def record_event(self, event: Event) -> None:
        self._database.write(lambda connection: record(connection, replace(event, at=clock_of(connection))))

    def events(
        self, *, pin: str | None = None, migration_id: str | None = None, what: str | None = None, limit: int = 1000
    ) -> list[Event]:
        query = select(events).order_by(events.c.id.desc()).limit(max(0, limit))
        query = query if pin is None else query.where(events.c.pin == pin)
        query = query if migration_id is None else query.where(events.c.migration_id == migration_id)
        query = query if what is None else query.where(events.c.what == what)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [event_of(row) for row in reversed(rows)]

    def save_notices(self, notices: Sequence[Mapping[str, Any]]) -> None:
        self._database.write(partial(_save_notices, rows=notices))

    def notices(self) -> list[Mapping[str, Any]]:
        rows = self._database.read(lambda connection: connection.execute(select(notices)).all())
        return [row.document for row in sorted(rows, key=lambda row: row.id)]


def _record_verdict(connection: Connection, *, migration_id: str, verdict: Verdict) -> None:
    stored_migration.by_id(connection, migration_id)
    values = {"stage": verdict.stage, "outcome": verdict.outcome.value, "document": codec.plain(verdict)}
    connection.execute(insert(verdicts).values(migration_id=migration_id, at=now(), **values))


def _save_notices(connection: Connection, *, rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        document = dict(row)
        insert_new(connection, notices, [{"id": row["id"], "document": document}])
        connection.execute(update(notices).where(notices.c.id == row["id"]).values(document=document))
