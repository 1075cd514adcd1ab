"""The keys of live and shadow together: who scans one side alone does not see what is missing or too much on the other."""

from __future__ import annotations

from vecferry.domain.shadow import ShadowSpec
from vecferry.ports import VectorStore


def keys_of_both(store: VectorStore, spec: ShadowSpec, *, after: str, until: str, limit: int, tenant: str | None) -> list[str]:
    """The next ``limit`` keys in ``(after, until]`` of either side, ascending; empty when neither has more."""
    sides = (spec.live, spec.shadow)
    found = {key for side in sides for key in store.keys(side, after=after, until=until, limit=limit, tenant=tenant)}
    return sorted(found)[:limit]  # no key of either side lies between these that is not among them
