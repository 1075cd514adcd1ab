"""Chunks in SQL: planned once by range, claimed at once, checkpointed under the claim."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select, update
from sqlalchemy.engine import RowMapping

from vecferry.adapters.ledger import refusals, routing_rules, stored_migration, stored_routing
from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.insert_new import insert_new
from vecferry.adapters.ledger.tables import chunks
from vecferry.domain.chunks import Chunk, ChunkState


class SqlChunks:
    _database: Database

    def plan_chunks(self, migration_id: str, chunks: Sequence[Chunk]) -> list[Chunk]:
        return self._database.write(partial(_plan, migration_id=migration_id, wanted=chunks))

    def chunks(self, migration_id: str) -> list[Chunk]:
        return self._database.read(partial(_all, migration_id=migration_id))

    def claim_chunk(self, chunk: Chunk, *, owner: str) -> Chunk:
        return self._database.write(partial(_claim, chunk=chunk, owner=owner))

    def checkpoint(self, chunk: Chunk) -> None:
        self._database.write_at_once(partial(_checkpoint, chunk=chunk))

    def reopen_chunks(self, migration_id: str) -> None:
        self._database.write(partial(_reopen, migration_id=migration_id))


def _plan(connection: Connection, *, migration_id: str, wanted: Sequence[Chunk]) -> list[Chunk]:
    stored = _all(connection, migration_id=migration_id)
    there = {(chunk.tenant, chunk.start, chunk.end) for chunk in stored}
    new = [chunk for chunk in wanted if (chunk.tenant, chunk.start, chunk.end) not in there]
    if not new:
        return stored
    _check_copying(connection, migration_id)
    fresh = (Chunk(migration_id, chunk.start, chunk.end, chunk.tenant) for chunk in new)
    insert_new(connection, chunks, [_columns(chunk) for chunk in fresh])
    return _all(connection, migration_id=migration_id)


def _check_copying(connection: Connection, migration_id: str) -> None:
    """Under the routing row's lock: a freeze cannot begin in between."""
    migration = stored_migration.by_id(connection, migration_id)
    current = stored_routing.locked(connection, migration.pin, shared=True)
    routing_rules.check_copying(stored_migration.by_id(connection, migration_id), current)


def _all(connection: Connection, *, migration_id: str) -> list[Chunk]:
    rows = connection.execute(select(chunks).where(chunks.c.migration_id == migration_id)).mappings()
    return sorted((_chunk_of(row) for row in rows), key=lambda chunk: (chunk.tenant or "", chunk.start, chunk.end))


def _claim(connection: Connection, *, chunk: Chunk, owner: str) -> Chunk:
    if connection.execute(select(chunks.c.token).where(_range(chunk))).scalar() is None:
        raise refusals.no_chunk(chunk)
    _check_copying(connection, chunk.migration_id)
    values = {"owner": owner, "token": chunks.c.token + 1}
    claimed = connection.execute(update(chunks).where(_range(chunk)).values(values).returning(chunks)).mappings().one()
    return _chunk_of(claimed)


def _checkpoint(connection: Connection, *, chunk: Chunk) -> None:
    progress = {
        "reached": chunk.cursor,
        "state": chunk.state.value,
        "rows_in": chunk.rows_in,
        "rows_out": chunk.rows_out,
        "failed": chunk.failed,
    }
    still_ours = _range(chunk) & (chunks.c.token == chunk.token)
    if connection.execute(update(chunks).where(still_ours).values(progress)).rowcount != 1:
        raise refusals.claim_lost(chunk)


def _reopen(connection: Connection, *, migration_id: str) -> None:
    """With a new token, so that an owner of the last pass cannot checkpoint into this one."""
    _check_copying(connection, migration_id)
    zeros = {"reached": "", "owner": "", "rows_in": 0, "rows_out": 0, "failed": 0}
    afresh = zeros | {"state": ChunkState.OPEN.value, "token": chunks.c.token + 1}
    connection.execute(update(chunks).where(chunks.c.migration_id == migration_id).values(afresh))


def _range(chunk: Chunk) -> ColumnElement[bool]:
    return and_(
        chunks.c.migration_id == chunk.migration_id,
        chunks.c.tenant == (chunk.tenant or ""),
        chunks.c.range_start == chunk.start,
        chunks.c.range_end == chunk.end,
    )


def _columns(chunk: Chunk) -> dict[str, Any]:
    return {
        "migration_id": chunk.migration_id,
        "tenant": chunk.tenant or "",
        "range_start": chunk.start,
        "range_end": chunk.end,
        "state": chunk.state.value,
        "reached": chunk.cursor,
        "owner": chunk.owner,
        "token": chunk.token,
        "rows_in": chunk.rows_in,
        "rows_out": chunk.rows_out,
        "failed": chunk.failed,
    }


def _chunk_of(row: RowMapping) -> Chunk:
    return Chunk(
        row["migration_id"],
        row["range_start"],
        row["range_end"],
        row["tenant"] or None,
        ChunkState(row["state"]),
        row["reached"],
        row["owner"],
        row["token"],
        row["rows_in"],
        row["rows_out"],
        row["failed"],
    )
