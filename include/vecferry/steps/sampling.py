"""Keys spread over a collection, without reading all of it."""

from __future__ import annotations

from vecferry.domain.chunks import even_ranges
from vecferry.ports import VectorStore

_PROBES = 50


def tenants_of(store: VectorStore, collection: str) -> list[str | None]:
    """The tenants' names; ``[None]`` for a collection without multi-tenancy."""
    return list(store.tenants(collection)) or [None]


def count_all(store: VectorStore, collection: str) -> int:
    """Objects of all tenants."""
    return sum(store.count(collection, tenant=tenant) for tenant in tenants_of(store, collection))


def spread_keys(store: VectorStore, collection: str, count: int) -> list[tuple[str | None, str]]:
    """Up to ``count`` (tenant, uuid), from evenly placed starts in the UUID space; skewed ids are met as they lie."""
    names = tenants_of(store, collection)
    each = max(1, count // (len(names) * _PROBES) + 1)
    found: dict[tuple[str | None, str], None] = {}
    for tenant in names[:_PROBES]:
        for start, _ in even_ranges(_PROBES):
            page = store.keys(collection, after=start, until="f" * 8 + "-ffff-ffff-ffff-" + "f" * 12, limit=each, tenant=tenant)
            found |= dict.fromkeys((tenant, key) for key in page)
    return list(found)[:: max(1, len(found) // count)][:count]
