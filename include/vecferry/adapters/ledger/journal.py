"""The journal in SQL. Each of its three changes is one statement, so that an operation costs one commit."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.engine import RowMapping

from vecferry.adapters.ledger import refusals, stored_migration, stored_routing
from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.database_clock import now
from vecferry.adapters.ledger.given_rows import keys_parameter, keys_relation, tokens_parameter
from vecferry.adapters.ledger.journal_statements import claim_statement, open_statement
from vecferry.adapters.ledger.tables import journal
from vecferry.domain.journal import JournalRow, RowKind


class SqlJournal:
    _database: Database

    def open_rows(
        self, migration_id: str, keys: Sequence[str], *, tenant: str | None, owner: str, kind: RowKind
    ) -> list[JournalRow]:
        if not keys:
            return []
        rows = self._database.write_at_once(
            partial(_open, migration_id=migration_id, keys=keys, tenant=tenant, owner=owner, kind=kind)
        )
        if not rows:
            raise self._database.read(partial(_refusal, migration_id=migration_id, kind=kind))
        return rows

    def close_rows(self, rows: Sequence[JournalRow]) -> int:
        held: dict[tuple[str, str], list[int]] = defaultdict(list)
        for row in rows:
            held[row.owner, row.token].append(row.id)
        if not held:
            return 0
        run = self._database.write_at_once if len(held) == 1 else self._database.write
        return run(partial(_close, held=held))

    def claim_rows(self, rows: Sequence[JournalRow], *, owner: str) -> list[JournalRow]:
        if not rows:
            return []
        return self._database.write_at_once(partial(_claim, rows=rows, owner=owner))

    def rows(self, migration_id: str, *, limit: int, after_id: int = 0) -> list[JournalRow]:
        query = select(journal, now().label("now")).where(journal.c.migration_id == migration_id, journal.c.id > after_id)
        found = self._database.read(lambda c: c.execute(query.order_by(journal.c.id).limit(limit)).mappings().all())
        return [_row_of(row) for row in found]

    def journal_counts(self, migration_id: str) -> Mapping[RowKind, int]:
        query = select(journal.c.kind, func.count()).where(journal.c.migration_id == migration_id).group_by(journal.c.kind)
        found = self._database.read(lambda connection: connection.execute(query).all())
        return Counter({RowKind(kind): count for kind, count in found})

    def oldest_row_age_s(self, migration_id: str) -> float:
        query = select(journal.c.opened_at, now()).where(journal.c.migration_id == migration_id).order_by(journal.c.id).limit(1)
        found = self._database.read(lambda connection: connection.execute(query).one_or_none())
        return 0.0 if found is None else _age_s(*found)

    def covered(self, migration_id: str, keys: Sequence[str], *, tenant: str | None) -> set[str]:
        return self._database.read(partial(_covered, migration_id=migration_id, keys=keys, tenant=tenant))


def _open(
    connection: Connection, *, migration_id: str, keys: Sequence[str], tenant: str | None, owner: str, kind: RowKind
) -> list[JournalRow]:
    """Nothing is inserted, and nothing returned, where the routing does not allow it."""
    token = uuid.uuid4().hex
    parameters = {
        **keys_parameter(connection.dialect.name, keys),
        "migration_id": migration_id,
        "tenant": tenant or "",
        "owner": owner,
        "token": token,
        "kind": kind.value,
        "freeze_too": kind is RowKind.WRITE,
    }
    inserted = connection.execute(open_statement(connection.dialect.name), parameters)
    return [JournalRow(row_id, migration_id, tenant, key, owner, token, kind) for row_id, key in sorted(inserted.all())]


def _refusal(connection: Connection, *, migration_id: str, kind: RowKind) -> Exception:
    pin = stored_migration.by_id(connection, migration_id).pin
    return refusals.rows_refused(migration_id, stored_routing.current(connection, pin), kind)


def _close(connection: Connection, *, held: Mapping[tuple[str, str], Sequence[int]]) -> int:
    """The conditions stand on the row itself, not in a subquery: a claim that we had to wait for is seen."""
    closed = 0
    for (owner, token), ids in held.items():
        ours = (journal.c.owner == owner) & (journal.c.token == token) & journal.c.id.in_(ids)
        closed += connection.execute(delete(journal).where(ours)).rowcount
    return closed


def _claim(connection: Connection, *, rows: Sequence[JournalRow], owner: str) -> list[JournalRow]:
    pairs = sorted({(row.id, row.token) for row in rows})
    parameters = {**tokens_parameter(connection.dialect.name, pairs), "new_owner": owner, "new_token": uuid.uuid4().hex}
    claimed = connection.execute(claim_statement(connection.dialect.name), parameters).mappings().all()
    return sorted((_row_of(row) for row in claimed), key=lambda row: row.id)


def _covered(connection: Connection, *, migration_id: str, keys: Sequence[str], tenant: str | None) -> set[str]:
    given = keys_relation(connection.dialect.name)
    ours = (journal.c.migration_id == migration_id) & (journal.c.tenant == (tenant or ""))
    query = select(journal.c.key).join(given, given.c.key == journal.c.key).where(ours).distinct()
    return set(connection.execute(query, keys_parameter(connection.dialect.name, keys)).scalars())


def _row_of(row: RowMapping) -> JournalRow:
    return JournalRow(
        row["id"],
        row["migration_id"],
        row["tenant"] or None,
        row["key"],
        row["owner"],
        row["token"],
        RowKind(row["kind"]),
        _age_s(row["opened_at"], row["now"]),
    )


def _age_s(opened_at: datetime, at: datetime) -> float:
    return max(0.0, (at - opened_at).total_seconds())
