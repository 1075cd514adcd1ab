"""Keys spread over a collection, without reading all of it."""

from __future__ import annotations

from collections.abc import Iterator

from vecferry.domain.chunks import LAST, even_ranges
from vecferry.domain.tenants import awake
from vecferry.ports import VectorStore

_PROBES = 50
_PAGE = 1_000


def tenants_of(store: VectorStore, collection: str) -> list[str | None]:
    """The tenants that answer, sleeping ones only from a store that wakes them; ``[None]`` for a collection without any."""
    names = store.tenants(collection)
    return list(awake(names)) if names else [None]


def count_all(store: VectorStore, collection: str) -> int:
    """Objects of all tenants that answer."""
    return sum(store.count(collection, tenant=tenant) for tenant in tenants_of(store, collection))


def spread_keys(store: VectorStore, collection: str, count: int) -> list[tuple[str | None, str]]:
    """Up to ``count`` (tenant, uuid), from evenly placed starts in the UUID space; skewed ids are met as they lie."""
    names = tenants_of(store, collection)
    each = max(1, count // (max(1, len(names)) * _PROBES) + 1)
    found: dict[tuple[str | None, str], None] = {}
    for tenant in names[:_PROBES]:
        for start, _ in even_ranges(_PROBES):
            page = store.keys(collection, after=start, until=LAST, limit=each, tenant=tenant)
            found |= dict.fromkeys((tenant, key) for key in page)
    return list(found)[:: max(1, len(found) // count)][:count]


def every_key(store: VectorStore, collection: str) -> Iterator[tuple[str | None, str]]:
    """All (tenant, uuid), tenant by tenant, in the order of the ids."""
    for tenant in tenants_of(store, collection):
        after = ""
        while page := store.keys(collection, after=after, until=LAST, limit=_PAGE, tenant=tenant):
            yield from ((tenant, key) for key in page)
            after = page[-1]
