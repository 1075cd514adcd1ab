"""The shadow: a raw copy of the live schema, with the new vector's config and the stamps."""

from __future__ import annotations

from typing import Any

from vecferry.domain.lifecycle import Migration
from vecferry.domain.schema import made_by_server, planned_changes, shadow_schema
from vecferry.domain.tenants import at_creation
from vecferry.errors import Conflict, NeedsPerson
from vecferry.ports import Ports
from vecferry.steps import prove_vectorizer
from vecferry.steps.hold_vectorizer import hold
from vecferry.steps.readiness import YES, Ready
from vecferry.steps.standing import has_work, refuse_if_paused


def act(ports: Ports, migration_id: str) -> dict[str, Any]:
    migration = ports.ledger.migration(migration_id)
    if has_work("create_shadow", migration):
        refuse_if_paused(migration)
        _create(ports, migration)
    return {"shadow": migration.spec.shadow, "tenants": len(ports.store.tenants(migration.spec.shadow))}


def ready(ports: Ports, migration_id: str) -> Ready:
    """Every shard (a tenant is one) answers for the shadow."""
    migration = ports.ledger.migration(migration_id)
    shards = ports.store.shards(migration.spec.shadow)
    waiting = [f"{name} is {status}" for name, status in shards.items() if status == "INDEXING"]
    wanted = filter(migration.covers, ports.store.tenants(migration.spec.live))
    missing = set(wanted) - set(ports.store.tenants(migration.spec.shadow))
    if missing:
        return Ready(False, f"{len(missing)} tenants to be created, e.g. {min(missing)}")
    return Ready(False, waiting[0]) if waiting else YES


def marker(migration_id: str) -> str:
    """Stands in the shadow's description: how a re-run, and a stranger, know whose it is."""
    return f"vecferry {migration_id}"


def is_ours(schema: dict[str, Any], migration: Migration) -> bool:
    return marker(migration.id) in str(schema.get("description") or "")


def _create(ports: Ports, migration: Migration) -> None:
    spec, store = migration.spec, ports.store
    live = store.schema(spec.live)
    wanted = shadow_schema(live, spec, vectorizing=True)
    wanted["description"] = f"{live.get('description') or ''} [{marker(migration.id)}: shadow of {spec.live}]".strip()
    if spec.shadow in store.collections():
        _refuse_a_strangers(store.schema(spec.shadow), migration)
    else:
        try:
            store.create(wanted)
        except Conflict:  # a second run of this act was faster
            _refuse_a_strangers(store.schema(spec.shadow), migration)
    if spec.vectorizer is not None:
        hold(ports, migration)
        prove_vectorizer.clear(ports, spec)
    copy_tenants(ports, migration)
    _note_differences(ports, migration, live)


def _note_differences(ports: Ports, migration: Migration, live: dict[str, Any]) -> None:
    """Into the plan: what was to differ, and what the server made otherwise than asked. The check allows only known ones."""
    spec = migration.spec
    rows = [*planned_changes(live, spec), *made_by_server(live, ports.store.schema(spec.shadow), spec)]
    plan = ports.ledger.migration(migration.id).plan
    ports.ledger.save_plan(migration.id, plan | {"schema_differences": rows})


def copy_tenants(ports: Ports, migration: Migration) -> list[str]:
    """Tenants that move, that live has and the shadow lacks; returns their names."""
    have = ports.store.tenants(migration.spec.shadow)
    in_live = ports.store.tenants(migration.spec.live)
    new = {name: status for name, status in in_live.items() if name not in have and migration.covers(name)}
    if new:
        ports.store.add_tenants(migration.spec.shadow, at_creation(new))
    return sorted(new)


def _refuse_a_strangers(schema: dict[str, Any], migration: Migration) -> None:
    if not is_ours(schema, migration):
        raise NeedsPerson(
            f"a collection {migration.spec.shadow} exists and is not this migration's; it is never overwritten",
            where=migration.id,
            next_action="Rename or delete it if nobody needs it, then clear create_shadow.",
        )
