"""Chunks in memory: planned once by range, claimed at once, checkpointed under the claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vecferry.adapters.ledger import refusals, routing_rules
from vecferry.adapters.memory.ledger_tables import ChunkRange, Tables
from vecferry.domain.chunks import Chunk, ChunkState


class MemoryChunks:
    _tables: Tables

    def plan_chunks(self, migration_id: str, chunks: Sequence[Chunk]) -> list[Chunk]:
        with self._tables.lock:
            new = [c for c in chunks if _range(replace(c, migration_id=migration_id)) not in self._tables.chunks]
            if new:
                self._check_copying(migration_id)
            for chunk in new:
                stored = Chunk(migration_id, chunk.start, chunk.end, chunk.tenant)
                self._tables.chunks[_range(stored)] = stored
            return self.chunks(migration_id)

    def _check_copying(self, migration_id: str) -> None:
        migration = self._tables.migration(migration_id)
        routing_rules.check_copying(migration, self._tables.routing(migration.pin))

    def chunks(self, migration_id: str) -> list[Chunk]:
        with self._tables.lock:
            mine = [chunk for chunk in self._tables.chunks.values() if chunk.migration_id == migration_id]
            return sorted(mine, key=_range)

    def claim_chunk(self, chunk: Chunk, *, owner: str) -> Chunk:
        with self._tables.lock:
            stored = self._tables.chunks.get(_range(chunk))
            if stored is None:
                raise refusals.no_chunk(chunk)
            self._check_copying(chunk.migration_id)
            claimed = replace(stored, owner=owner, token=stored.token + 1)
            self._tables.chunks[_range(chunk)] = claimed
            return claimed

    def checkpoint(self, chunk: Chunk) -> None:
        with self._tables.lock:
            stored = self._tables.chunks.get(_range(chunk))
            if stored is None or stored.token != chunk.token:
                raise refusals.claim_lost(chunk)
            self._tables.chunks[_range(chunk)] = replace(chunk, owner=stored.owner)

    def reopen_chunks(self, migration_id: str) -> None:
        with self._tables.lock:
            self._check_copying(migration_id)
            for chunk in self.chunks(migration_id):
                # A new token, so that an owner of the last pass cannot checkpoint into this one.
                fresh = Chunk(migration_id, chunk.start, chunk.end, chunk.tenant, ChunkState.OPEN, token=chunk.token + 1)
                self._tables.chunks[_range(chunk)] = fresh


def _range(chunk: Chunk) -> ChunkRange:
    return chunk.migration_id, chunk.tenant or "", chunk.start, chunk.end
