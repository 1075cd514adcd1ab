"""Rule 13: the live collection goes on living while it is copied. Its schema and tenants are compared at each gate.

Without it: a property added last week is in live alone after the flip, a removed tenant comes back, and a vectorizer that
was changed in place mixes two spaces under one pin.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from vecferry.domain.chunks import LAST
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Migration
from vecferry.domain.objects import STAMPS
from vecferry.domain.schema import refusals, schema_differences, shadow_schema
from vecferry.errors import BadInput, Paused
from vecferry.ports import Ports
from vecferry.steps import server_side
from vecferry.steps.copying import copy_keys
from vecferry.steps.create_shadow import copy_tenants
from vecferry.steps.readiness import recorded

FOLLOWED = "drift_followed"
_PAGE = 500


@dataclass(frozen=True)
class Drift:
    """What the shadow was given, or lost, to be like live again; falsy where nothing had moved."""

    properties: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.properties or self.tenants or self.removed)


def follow(ports: Ports, migration: Migration) -> Drift:
    """New properties and tenants first, then what is gone; whatever else differs pauses the migration and raises ``Paused``.

    What was copied is to be verified again by the caller, if parity was proven before.
    """
    live = ports.store.schema(migration.spec.live)
    _pause_for(ports, migration, refusals(live), "Undo it in the live collection, then unpause; or discard and start anew.")
    _pause_for(
        ports, migration, server_side.changes(migration, live), "Undo it, embed anew what was written since, then unpause."
    )
    drift = Drift(
        _copy_properties(ports, migration, live), tuple(copy_tenants(ports, migration)), _remove_tenants(ports, migration)
    )
    if drift:
        recorded(ports, migration, FOLLOWED, _words(drift), properties=drift.properties, tenants=drift.tenants)
    _pause_for(
        ports,
        migration,
        _differences(ports, migration, live),
        "Give the shadow the same setting or undo it in live, then unpause; or discard and start anew.",
    )
    return drift


def _copy_properties(ports: Ports, migration: Migration, live: dict[str, Any]) -> tuple[str, ...]:
    """As the shadow would have had them from the start. Auto-schema may have been faster, with a type of its own."""
    spec, store = migration.spec, ports.store
    there = {prop["name"] for prop in store.schema(spec.shadow).get("properties") or []}
    missing = [p["name"] for p in live.get("properties") or [] if p["name"] not in there and p["name"] not in STAMPS]
    if not missing:
        return ()
    for definition in _wanted(ports, migration, live)["properties"]:
        if definition["name"] in missing:
            _add(ports, migration, definition)
    return tuple(missing)


def _add(ports: Ports, migration: Migration, definition: dict[str, Any]) -> None:
    try:
        ports.store.add_property(migration.spec.shadow, definition)
    except BadInput as error:
        there = ports.store.schema(migration.spec.shadow).get("properties") or []
        if not any(prop["name"] == definition["name"] for prop in there):  # else another gate, or auto-schema, was first
            reason = f"property {definition['name']} is new in live, and the server refuses it for the shadow: {error.what}"
            _pause_for(ports, migration, [reason], "Discard and start anew.")


def _wanted(ports: Ports, migration: Migration, live: dict[str, Any]) -> dict[str, Any]:
    try:
        return shadow_schema(live, migration.spec)
    except BadInput as error:  # a vector was added to live
        _pause_for(ports, migration, [error.what], "Discard and start anew: the new attempt carries all vectors.")
        raise


def _differences(ports: Ports, migration: Migration, live: dict[str, Any]) -> list[str]:
    _wanted(ports, migration, live)
    rows = schema_differences(live, ports.store.schema(migration.spec.shadow), migration.spec)
    return [f"{row['setting']} (live {row['live']}, shadow {row['shadow']})" for row in rows if not row["allowed"]]


def _remove_tenants(ports: Ports, migration: Migration) -> tuple[str, ...]:
    """Tenants that live has no more. Their objects are deleted under rows, as any delete is; then the empty tenant goes."""
    spec, store = migration.spec, ports.store
    gone = sorted(set(store.tenants(spec.shadow)) - set(store.tenants(spec.live)))
    for tenant in gone:
        _empty(ports, migration, tenant)
    still_gone = sorted(set(gone) - set(store.tenants(spec.live)))  # the second look: it may have been a moment
    if still_gone:
        store.remove_tenants(spec.shadow, still_gone)
        copy_tenants(ports, migration)  # one that came back between the look and the removal
    return tuple(still_gone)


def _empty(ports: Ports, migration: Migration, tenant: str) -> None:
    """By reconcile: where live has an object after all, it stays."""
    owner, after = f"drift:{uuid.uuid4().hex[:8]}", ""
    while keys := ports.store.keys(migration.spec.shadow, after=after, until=LAST, limit=_PAGE, tenant=tenant):
        copy_keys(ports, migration, keys, tenant=tenant, owner=owner, kind=RowKind.PARITY)
        after = keys[-1]


def _pause_for(ports: Ports, migration: Migration, reasons: list[str], next_action: str) -> None:
    if not reasons:
        return
    why = f"live has changed under the migration: {'; '.join(reasons[:5])}"
    if ports.ledger.migration(migration.id).paused != why:
        ports.ledger.set_paused(migration.id, why, who=f"vecferry:{migration.id}")
    raise Paused(why, where=migration.spec.live, next_action=next_action)


def _words(drift: Drift) -> str:
    parts = [
        f"properties {', '.join(drift.properties)}" if drift.properties else "",
        f"tenants {', '.join(drift.tenants)}" if drift.tenants else "",
        f"removed tenants {', '.join(drift.removed)}" if drift.removed else "",
    ]
    return f"followed live: {'; '.join(part for part in parts if part)}"
