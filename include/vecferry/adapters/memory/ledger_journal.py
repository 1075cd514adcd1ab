"""The journal in memory: a row an operation, deleted by its owner only, taken over by a claim."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from vecferry.adapters.ledger import refusals, routing_rules
from vecferry.adapters.memory.ledger_tables import Entry, Tables
from vecferry.domain.journal import JournalRow, RowKind
from vecferry.domain.lifecycle import within_reach


class MemoryJournal:
    _tables: Tables

    def open_rows(
        self, migration_id: str, keys: Sequence[str], *, tenant: str | None, owner: str, kind: RowKind
    ) -> list[JournalRow]:
        with self._tables.lock:
            self._check_open(migration_id, kind)
            self._check_owner(migration_id, owner, kind)
            token = uuid.uuid4().hex
            return [self._insert(migration_id, key, tenant=tenant, owner=owner, token=token, kind=kind) for key in keys]

    def _check_open(self, migration_id: str, kind: RowKind) -> None:
        routing = self._tables.routing(self._tables.migration(migration_id).pin)
        if not routing_rules.may_open(routing, migration_id, kind):
            raise refusals.rows_refused(migration_id, routing, kind)

    def _check_owner(self, migration_id: str, owner: str, kind: RowKind) -> None:
        migration = self._tables.migration(migration_id)
        routing_rules.check_owner(owner, self._tables.leases.get((migration.pin, owner)), migration, kind)

    def _insert(self, migration_id: str, key: str, *, tenant: str | None, owner: str, token: str, kind: RowKind) -> JournalRow:
        row = JournalRow(next(self._tables.row_ids), migration_id, tenant, key, owner, token, kind)
        self._tables.journal[row.id] = Entry(row, self._tables.clock.now())
        return row

    def close_rows(self, rows: Sequence[JournalRow]) -> int:
        journal = self._tables.journal
        with self._tables.lock:
            ours = {r.id for r in rows if r.id in journal and _held(journal[r.id].row) == _held(r)}
            for row_id in ours:
                del journal[row_id]
            return len(ours)

    def claim_rows(self, rows: Sequence[JournalRow], *, owner: str) -> list[JournalRow]:
        journal = self._tables.journal
        with self._tables.lock:
            token = uuid.uuid4().hex
            self._check_claim(rows, owner)
            unchanged = sorted({r.id for r in rows if r.id in journal and journal[r.id].row.token == r.token})
            for row_id in unchanged:
                entry = journal[row_id]
                journal[row_id] = replace(entry, row=replace(entry.row, owner=owner, token=token))
            return [self._aged(journal[row_id]) for row_id in unchanged]

    def _check_claim(self, rows: Sequence[JournalRow], owner: str) -> None:
        for migration_id in {row.migration_id for row in rows}:
            migration = self._tables.migration(migration_id)
            lease = self._tables.leases.get((migration.pin, owner))
            if lease is not None and not within_reach(lease.protocol_version, migration.protocol_version):
                raise refusals.claim_refused(owner, migration_id)

    def rows(self, migration_id: str, *, limit: int, after_id: int = 0) -> list[JournalRow]:
        with self._tables.lock:
            entries = [e for e in self._tables.entries(migration_id) if e.row.id > after_id]
            return [self._aged(entry) for entry in entries[:limit]]

    def _aged(self, entry: Entry) -> JournalRow:
        return replace(entry.row, age_s=self._tables.age_s(entry))

    def journal_counts(self, migration_id: str) -> Mapping[RowKind, int]:
        with self._tables.lock:
            return Counter(entry.row.kind for entry in self._tables.entries(migration_id))

    def oldest_row_age_s(self, migration_id: str) -> float:
        with self._tables.lock:
            return max(map(self._tables.age_s, self._tables.entries(migration_id)), default=0.0)

    def covered(self, migration_id: str, keys: Sequence[str], *, tenant: str | None) -> set[str]:
        with self._tables.lock:
            entries = self._tables.entries(migration_id)
            return {e.row.key for e in entries if e.row.tenant == tenant}.intersection(keys)


def _held(row: JournalRow) -> tuple[str, str]:
    return row.owner, row.token
