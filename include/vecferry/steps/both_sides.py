"""The keys of live and shadow together: who scans one side alone does not see what is missing or too much on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vecferry.domain.shadow import ShadowSpec
from vecferry.ports import Clock, VectorStore
from vecferry.protocol.reconcile import ReadAhead


@dataclass(frozen=True)
class BothSides:
    """Objects of live and shadow by key; ``at_s`` on the monotonic clock is from before they were read."""

    objects: ReadAhead
    at_s: float


def keys_of_both(store: VectorStore, spec: ShadowSpec, *, after: str, until: str, limit: int, tenant: str | None) -> list[str]:
    """The next ``limit`` keys in ``(after, until]`` of either side, ascending; empty when neither has more."""
    sides = (spec.live, spec.shadow)
    found = {key for side in sides for key in store.keys(side, after=after, until=until, limit=limit, tenant=tenant)}
    return sorted(found)[:limit]  # no key of either side lies between these that is not among them


def read_both(store: VectorStore, clock: Clock, spec: ShadowSpec, keys: Sequence[str], *, tenant: str | None) -> BothSides:
    """A tenant that was removed from live holds nothing there, and is not asked for what the shadow holds."""
    at_s = clock.monotonic()
    if tenant is not None and tenant not in store.tenants(spec.live):
        return BothSides(ReadAhead({}, {}), at_s)
    live = store.read(spec.live, keys, tenant=tenant)
    return BothSides(ReadAhead(live, store.read(spec.shadow, keys, tenant=tenant)), at_s)
