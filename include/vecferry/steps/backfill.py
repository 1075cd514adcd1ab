"""The history: every object that was there before dual-write began, chunk by chunk."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vecferry.domain.chunks import Chunk, ChunkState, even_ranges
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.errors import BadInput, Retryable
from vecferry.ports import Ports
from vecferry.steps import entrance, restored_ledger
from vecferry.steps.both_sides import keys_of_both
from vecferry.steps.copying import copy_keys
from vecferry.steps.readiness import YES, Ready, acknowledged, first_version_of, recorded
from vecferry.steps.sampling import tenants_of
from vecferry.steps.standing import has_work, refuse_if_paused
from vecferry.steps.tenants import with_tenants_awake

PAGE = 250
"""Objects under rows at a time: what a crash may have to do again."""
PLANNED = "chunks_planned"
_PER_CHUNK = 2_500
_MOST_CHUNKS = 500
"""Of all tenants together: Airflow's scheduler slows down above that many mapped tasks."""
Progress = Callable[[Chunk], None]


@with_tenants_awake
def plan_chunks(ports: Ports, migration_id: str) -> list[dict[str, Any]]:
    """Ranges over the UUID space, sized by the live count; keyed by range, so that re-planning keeps confirmed work."""
    migration = ports.ledger.migration(migration_id)
    if not has_work("backfill", migration):
        return [_named(chunk) for chunk in ports.ledger.chunks(migration_id)]
    _refuse_before_all_write_to_both(ports, migration)
    entrance.enter(ports, migration, "backfill")
    known = ports.ledger.chunks(migration_id)
    planned = {chunk.tenant for chunk in known}
    tenants = tenants_of(ports.store, migration.spec.live)
    most = max(1, _MOST_CHUNKS // len(tenants))
    new = [chunk for tenant in tenants if tenant not in planned for chunk in _chunks_of(ports, migration, tenant, most)]
    chunks = ports.ledger.plan_chunks(migration_id, new)
    recorded(ports, migration, PLANNED, f"{len(chunks)} chunks", chunks=len(chunks))
    return [_named(chunk) for chunk in chunks]


def _refuse_before_all_write_to_both(ports: Ports, migration: Migration) -> None:
    """A router of an older version writes to live without a row: what it changes behind the copy stays old in the shadow.

    ``enable_dual_write``'s sensor waits for this. It can be interrupted, or marked successful; this cannot.
    """
    answer = acknowledged(ports, migration, first_version_of(ports, migration))
    if not answer.done:
        raise Retryable(
            f"dual-write is not on everywhere: waiting for {answer.waiting_for}",
            where=migration.id,
            next_action="Run enable_dual_write first: it waits for them.",
        )


@with_tenants_awake
def run_chunk(
    ports: Ports,
    migration_id: str,
    *,
    start: str,
    end: str,
    tenant: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Copies one chunk from its checkpoint on; a takeover may start at once (rule 11). Returns the chunk's counts."""
    migration = ports.ledger.migration(migration_id)
    chunk = _find(ports, migration_id, start, end, tenant)
    if not has_work("backfill", migration) or chunk.state is ChunkState.DONE:
        return _named(chunk)
    entrance.refuse_another_protocol(migration)
    restored_ledger.refuse(ports, migration)
    owner = f"backfill:{uuid.uuid4().hex[:8]}"
    chunk = ports.ledger.claim_chunk(chunk, owner=owner)
    while chunk.state is ChunkState.OPEN:
        refuse_if_paused(ports.ledger.migration(migration_id))
        chunk = _copy_page(ports, migration, chunk, owner)
        if progress is not None:
            progress(chunk)
    return _named(chunk)


def run_all(ports: Ports, migration_id: str, progress: Progress | None = None) -> dict[str, Any]:
    """Every chunk, one after the other: the backfill without Airflow."""
    rows = 0
    for named in plan_chunks(ports, migration_id):
        place = {key: named[key] for key in ("start", "end", "tenant")}
        rows += run_chunk(ports, migration_id, progress=progress, **place)["rows"]
    return {"rows": rows}


def ready(ports: Ports, migration_id: str) -> Ready:
    """No chunk open, no backfill row, and no row older than T + 2δ."""
    migration = ports.ledger.migration(migration_id)
    if migration.phase is not Phase.DUAL_WRITING:
        return YES
    still_open = [chunk for chunk in ports.ledger.chunks(migration_id) if chunk.state is ChunkState.OPEN]
    if still_open:
        return Ready(False, f"{len(still_open)} chunks, e.g. {still_open[0].label}")
    rows = ports.ledger.journal_counts(migration_id).get(RowKind.BACKFILL, 0)
    if rows:
        return Ready(False, f"{rows} backfill rows in the journal; the janitor works them off")
    limit_s = ports.timings.takeover_s + 2 * ports.timings.delta_s
    oldest_s = ports.ledger.oldest_row_age_s(migration_id)
    return Ready(False, f"a journal row is {oldest_s:.0f} s old (limit {limit_s:.0f} s)") if oldest_s > limit_s else YES


def _copy_page(ports: Ports, migration: Migration, chunk: Chunk, owner: str) -> Chunk:
    """One page: keys by cursor, copied under rows, then the checkpoint under the claim.

    Of both sides: a router that had adopted dual-write already may have copied what one that had not then deleted in live,
    without a row. Nobody else would look at that key before parity, which would raise it as an alarm.
    """
    keys = keys_of_both(
        ports.store,
        migration.spec,
        after=chunk.cursor or chunk.start,
        until=chunk.end,
        limit=PAGE,
        tenant=chunk.tenant,
    )
    done = copy_keys(ports, migration, keys, tenant=chunk.tenant, owner=owner, kind=RowKind.BACKFILL)
    chunk = replace(
        chunk,
        cursor=keys[-1] if keys else chunk.cursor,
        state=ChunkState.OPEN if keys else ChunkState.DONE,
        rows_in=chunk.rows_in + len(keys),
        rows_out=chunk.rows_out + len(done.in_sync),
    )
    ports.ledger.checkpoint(chunk)  # after the effect is confirmed, never before
    return chunk


def _chunks_of(ports: Ports, migration: Migration, tenant: str | None, most: int) -> list[Chunk]:
    count = ports.store.count(migration.spec.live, tenant=tenant)
    number = min(most, max(1, -(-count // _PER_CHUNK)))
    return [Chunk(migration.id, start, end, tenant) for start, end in even_ranges(number)]


def _find(ports: Ports, migration_id: str, start: str, end: str, tenant: str | None) -> Chunk:
    for chunk in ports.ledger.chunks(migration_id):
        if (chunk.start, chunk.end, chunk.tenant) == (start, end, tenant):
            return chunk
    raise BadInput(f"there is no chunk {start}…{end}", where=migration_id, next_action="Clear backfill.plan_chunks first.")


def _named(chunk: Chunk) -> dict[str, Any]:
    return {
        "start": chunk.start,
        "end": chunk.end,
        "tenant": chunk.tenant,
        "label": chunk.label,
        "state": chunk.state.value,
        "rows": chunk.rows_out,
    }
