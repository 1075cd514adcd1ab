"""A migration on trial for some tenants: everything but the end of it."""

from __future__ import annotations

from collections.abc import Sequence

from vecferry.domain.lifecycle import Migration
from vecferry.errors import BadInput, NeedsPerson
from vecferry.ports import Ports


def warnings(ports: Ports, collection: str, wanted: Sequence[str]) -> list[str]:
    """What a plan says of it; raises ``BadInput`` for a tenant that there is not."""
    if not wanted:
        return []
    there = ports.store.tenants(collection)
    missing = sorted(set(wanted) - there.keys())
    if missing:
        known = f"Its tenants: {', '.join(sorted(there)[:10])}." if there else "It has none: leave --tenants out."
        raise BadInput(f"there is no tenant {', '.join(missing)}", where=collection, next_action=known)
    return [
        f"on trial for {len(wanted)} of {len(there)} tenants: the others are neither copied nor served by the shadow, and "
        "retire wants all of them. To end it: vecferry discard; then plan for all, which embeds these anew"
    ]


def refuse_for_some(migration: Migration, why: str) -> None:
    if migration.only_tenants:
        raise NeedsPerson(
            f"the migration is on trial for {len(migration.only_tenants)} tenants alone: {why}",
            where=migration.id,
            next_action=f"vecferry discard {migration.pin} --why ..., then plan for all.",
        )
