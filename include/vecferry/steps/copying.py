"""The copiers' common turn: rows before the write, reconcile, rows closed when verified (rule 11)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Migration
from vecferry.ports import Embedder, Ports, Purpose
from vecferry.protocol.ownership import open_rows
from vecferry.protocol.reconcile import ReadAhead, Reconciled, Reconciler
from vecferry.steps.both_sides import BothSides, read_both
from vecferry.steps.embedding_ahead import embed_ahead


def copy_keys(
    ports: Ports,
    migration: Migration,
    keys: Sequence[str],
    *,
    tenant: str | None,
    owner: str,
    kind: RowKind,
    reinsert: Collection[str] = (),
    read: BothSides | None = None,
    embedder: Embedder | None = None,
) -> Reconciled:
    """Brings these keys of the shadow into agreement under rows of their own; raises what stopped it.

    Without rows: a crash with a put in flight, the application deletes the key, the next worker's scan does not see it, and the
    put resurrects it. The rows of keys that did not get into agreement stay for the janitor. ``read`` is what the caller has
    read of these keys already; ``embedder`` the migration's own, with what it remembers.
    """
    if not keys:
        return Reconciled()
    embedder = embedder or ports.embedders.of(migration.spec.space, migration_id=migration.id)
    known = read or read_both(ports.store, ports.clock, migration.spec, keys, tenant=tenant)
    ahead = embed_ahead(migration.spec, embedder, known.objects, executor=ports.executor, reinsert=reinsert)
    owned = open_rows(ports.ledger, ports.clock, ports.timings, migration.id, keys, tenant=tenant, owner=owner, kind=kind)
    reconciler = Reconciler(migration.spec, ports.store, ahead, ports.clock, ports.timings, _still_good(ports, read))
    done = reconciler.reconcile(owned.keys, tenant=tenant, fence=owned.fence, purpose=Purpose.BACKFILL, reinsert=reinsert)
    done.tokens = ahead.tokens
    if done.in_sync:
        ports.ledger.close_rows(owned.of(done.in_sync))
    if done.error is not None:
        raise done.error
    return done


def _still_good(ports: Ports, read: BothSides | None) -> ReadAhead | None:
    """After a wait for the provider too much of it would be old: written, seen to differ, and written again."""
    if read is None or ports.clock.monotonic() - read.at_s > ports.timings.delta_s:
        return None
    return read.objects
