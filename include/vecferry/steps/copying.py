"""The copiers' common turn: rows before the write, reconcile, rows closed when verified (rule 11)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Migration
from vecferry.ports import Embedder, Ports, Purpose
from vecferry.protocol.ownership import open_rows
from vecferry.protocol.reconcile import Reconciled, Reconciler
from vecferry.steps.embedding_ahead import EmbeddedAhead, embed_ahead


def copy_keys(
    ports: Ports,
    migration: Migration,
    keys: Sequence[str],
    *,
    tenant: str | None,
    owner: str,
    kind: RowKind,
    reinsert: Collection[str] = (),
) -> Reconciled:
    """Brings these keys of the shadow into agreement under rows of their own; raises what stopped it.

    Without rows: a crash with a put in flight, the application deletes the key, the next worker's scan does not see it, and the
    put resurrects it. The rows of keys that did not get into agreement stay for the janitor.
    """
    if not keys:
        return Reconciled()
    embedder = ports.embedders.of(migration.spec.space, migration_id=migration.id)
    ahead = _ahead(ports, migration, embedder, keys, tenant, reinsert)
    owned = open_rows(ports.ledger, ports.clock, ports.timings, migration.id, keys, tenant=tenant, owner=owner, kind=kind)
    reconciler = Reconciler(migration.spec, ports.store, ahead, ports.clock, ports.timings)
    done = reconciler.reconcile(owned.keys, tenant=tenant, fence=owned.fence, purpose=Purpose.BACKFILL, reinsert=reinsert)
    done.tokens = ahead.tokens
    if done.in_sync:
        ports.ledger.close_rows(owned.of(done.in_sync))
    if done.error is not None:
        raise done.error
    return done


def _ahead(
    ports: Ports,
    migration: Migration,
    embedder: Embedder,
    keys: Sequence[str],
    tenant: str | None,
    reinsert: Collection[str],
) -> EmbeddedAhead:
    if tenant is not None and tenant not in ports.store.tenants(migration.spec.live):
        return EmbeddedAhead(embedder)  # removed: there is nothing to embed, and reconcile knows what to do
    return embed_ahead(ports.store, migration.spec, embedder, keys, tenant=tenant, reinsert=reinsert)
