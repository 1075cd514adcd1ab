"""The history: every object that was there before dual-write began, chunk by chunk."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from vecferry.domain.chunks import Chunk, ChunkState, even_ranges
from vecferry.domain.density import balanced_ranges
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.errors import BadInput, Retryable, UnknownOutcome
from vecferry.ports import Embedder, Ports
from vecferry.steps import entrance, restored_ledger
from vecferry.steps.asked_to_end import ending_at_a_boundary
from vecferry.steps.both_sides import BothSides, next_keys, read_both
from vecferry.steps.copying import copy_keys
from vecferry.steps.density_probe import probe
from vecferry.steps.embedding_ahead import EmbeddedAhead
from vecferry.steps.page_size import PageSize
from vecferry.steps.pipeline import Pipeline
from vecferry.steps.readiness import YES, Ready, acknowledged, first_version_of, recorded
from vecferry.steps.remembered_vectors import RememberedVectors
from vecferry.steps.sampling import tenants_of
from vecferry.steps.standing import has_work, refuse_if_paused
from vecferry.steps.tenants import with_tenants_awake
from vecferry.steps.throttling import throttle_of
from vecferry.steps.told_in_log import ToldInLog

PAGE = 250
"""Objects under rows together; fewer where the store is too slow for so many."""
_FEWEST = 8
_IN_FLIGHT = 2
"""Pages that are embedded and not confirmed: what a crash may have to do, and to pay, again."""
PLANNED = "chunks_planned"
_PER_CHUNK = 2_500
_FEW = 8
"""More workers than these do not make a small collection much quicker."""
_LARGE_CHUNK = 100_000
"""Three to ten minutes at what a store takes, 170 to 600 objects a second and worker."""
_MOST_CHUNKS = 500
"""Of all tenants together: Airflow's scheduler slows down above that many mapped tasks."""
Progress = Callable[[Chunk], None]


@with_tenants_awake
def plan_chunks(ports: Ports, migration_id: str) -> list[dict[str, Any]]:
    """Ranges with about equally many objects each; keyed by range, and a tenant's are planned once, so that re-planning keeps
    confirmed work."""
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
    return _named(_Copying(ports, migration, chunk, owner, progress).to_the_end())


def run_all(ports: Ports, migration_id: str, progress: Progress | None = None) -> dict[str, Any]:
    """Every chunk, one after the other: the backfill without Airflow."""
    rows = 0
    for named in plan_chunks(ports, migration_id):
        place = {key: named[key] for key in ("start", "end", "tenant")}
        rows += run_chunk(ports, migration_id, progress=progress, **place)["rows"]
    return {"rows": rows}


def chunks_for(objects: int) -> int:
    """Few for a small collection, each of it worth a task; from then on as many as are of a size for minutes, up to the most
    that a run may have."""
    return min(_MOST_CHUNKS, max(1, min(_FEW, -(-objects // _PER_CHUNK)), -(-objects // _LARGE_CHUNK)))


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


@dataclass(frozen=True)
class _Page:
    keys: list[str]
    read: BothSides


@dataclass
class _Copying:
    """One chunk from its checkpoint to its end. ``chunk`` is as recorded."""

    ports: Ports
    migration: Migration
    chunk: Chunk
    owner: str
    progress: Progress | None
    most_keys: int = 0
    remembered: RememberedVectors = field(default_factory=RememberedVectors)
    told: ToldInLog = field(init=False)

    def __post_init__(self) -> None:
        self.most_keys = PAGE
        what, before = f"{self.migration.id}: copied of {self.chunk.label}", self.chunk.rows_in
        self.told = ToldInLog(self.ports.clock, what, before=before)

    def to_the_end(self) -> Chunk:
        with ending_at_a_boundary() as refuse_if_asked_to_end, self.ports.executor(_IN_FLIGHT) as executor:
            pipeline = Pipeline(executor, _IN_FLIGHT, copy=self._copy, record=self._record)
            pipeline.run(self._pages(refuse_if_asked_to_end))
        self._checkpoint(replace(self.chunk, state=ChunkState.DONE))
        return self.chunk

    def _pages(self, refuse_if_asked_to_end: Callable[[], None]) -> Iterator[_Page]:
        """Read ahead, of both sides: a router that had adopted dual-write already may have copied what one that had not then
        deleted in live, without a row. Nobody else would look at that key before parity, which would raise it as an alarm.
        """
        store, spec, chunk = self.ports.store, self.migration.spec, self.chunk
        throttle, size = throttle_of(self.ports, self.migration, PAGE), PageSize(PAGE)
        after = chunk.cursor or chunk.start
        while True:
            refuse_if_asked_to_end()
            refuse_if_paused(self.ports.ledger.migration(self.migration.id))
            most = min(self.most_keys, size.keys, PAGE if throttle is None else throttle.wait())
            found = next_keys(store, spec, after=after, until=chunk.end, limit=most, tenant=chunk.tenant)
            if not found.keys:
                return
            read = read_both(store, self.ports.clock, spec, found.keys, tenant=chunk.tenant, in_shadow=found.in_shadow)
            size.seen(read.objects.live.values())
            yield _Page(found.keys, read)
            after = found.keys[-1]

    def _copy(self, page: _Page) -> int:
        """How many are in agreement. What it was embedded for is known as long as the page is tried, and to those after it."""
        model = self.ports.embedders.of(self.migration.spec.space, migration_id=self.migration.id)
        embedder = EmbeddedAhead(model, self.remembered)
        copied = self._tried(page.keys, embedder, page.read)
        if len(page.keys) <= self.most_keys:  # not of a page that was read before they became fewer
            self.most_keys = min(PAGE, self.most_keys * 2)
        return copied

    def _tried(self, keys: list[str], embedder: Embedder, read: BothSides | None = None) -> int:
        """A page too large for the time of a call, or of its rows, would be too large each time: so it is tried again in parts,
        under rows of their own; those of the page stay for the janitor (rule 4)."""
        try:
            done = copy_keys(
                self.ports,
                self.migration,
                keys,
                tenant=self.chunk.tenant,
                owner=self.owner,
                kind=RowKind.BACKFILL,
                read=read,
                embedder=embedder,
            )
            return len(done.in_sync)
        except UnknownOutcome:
            if len(keys) <= _FEWEST:
                raise
        self.most_keys = fewer = max(_FEWEST, len(keys) // 4)
        return sum(self._tried(keys[start : start + fewer], embedder) for start in range(0, len(keys), fewer))

    def _record(self, page: _Page, copied: int) -> None:
        rows_in, rows_out = self.chunk.rows_in + len(page.keys), self.chunk.rows_out + copied
        self._checkpoint(replace(self.chunk, cursor=page.keys[-1], rows_in=rows_in, rows_out=rows_out))

    def _checkpoint(self, chunk: Chunk) -> None:
        self.ports.ledger.checkpoint(chunk)  # after the effect is confirmed, never before
        self.chunk = chunk
        self.told(chunk.rows_in)
        if self.progress is not None:
            self.progress(chunk)


def _chunks_of(ports: Ports, migration: Migration, tenant: str | None, most: int) -> list[Chunk]:
    live = migration.spec.live
    objects = ports.store.count(live, tenant=tenant)
    number = min(most, chunks_for(objects))
    if number == 1:
        return [Chunk(migration.id, start, end, tenant) for start, end in even_ranges(1)]
    stretches = probe(ports.store, live, tenant=tenant, objects=objects, pieces=number)
    return [Chunk(migration.id, start, end, tenant) for start, end in balanced_ranges(stretches, number)]


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
