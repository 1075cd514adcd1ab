"""From here on every write goes to both collections."""

from __future__ import annotations

from typing import Any

from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.routing import Mode
from vecferry.ports import Ports
from vecferry.steps.copying import copy_keys
from vecferry.steps.readiness import Ready, acknowledged, first_version_of
from vecferry.steps.sampling import spread_keys
from vecferry.steps.standing import has_work, refuse_if_paused
from vecferry.steps.tenants import awake

SAMPLE = 50


def act(ports: Ports, migration_id: str) -> dict[str, Any]:
    """Publishes the routing version; routers adopt it within a poll."""
    migration = ports.ledger.migration(migration_id)
    if has_work("enable_dual_write", migration):
        refuse_if_paused(migration)
        ports.ledger.move(
            migration,
            Phase.DUAL_WRITING,
            who=f"vecferry:{migration_id}",
            why="the shadow exists: writes go to both",
            routing=(Mode.DUAL, 0),
        )
    return {"version": first_version_of(ports, migration)}


def ready(ports: Ports, migration_id: str) -> Ready:
    """All routers have acknowledged dual-write, or have been expired for Q; then a sample goes through a reconcile.

    The sample is there for collections without write traffic: the check must have something to read back. It is reconciled
    under rows, not put again through the live collection, where it could undo an application's newer write.
    """
    migration = ports.ledger.migration(migration_id)
    answer = acknowledged(ports, migration, first_version_of(ports, migration))
    if answer.done and migration.phase is Phase.DUAL_WRITING:
        with awake(ports, migration) as woken:
            _write_sample(woken, migration)
    return answer


def _write_sample(ports: Ports, migration: Migration) -> None:
    spec = migration.spec
    sample = spread_keys(ports.store, spec.live, SAMPLE)
    for tenant in {tenant for tenant, _ in sample}:
        keys = [key for t, key in sample if t == tenant]
        copy_keys(ports, migration, keys, tenant=tenant, owner=f"sample:{migration.id}", kind=RowKind.BACKFILL)
