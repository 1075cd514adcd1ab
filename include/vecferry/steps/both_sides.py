"""The keys of live and shadow together: who scans one side alone does not see what is missing or too much on the other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from vecferry.domain.shadow import ShadowSpec
from vecferry.ports import Clock, VectorStore
from vecferry.protocol.reconcile import ReadAhead


@dataclass(frozen=True)
class BothSides:
    """Objects of live and shadow by key; ``at_s`` on the monotonic clock is from before they were read."""

    objects: ReadAhead
    at_s: float


@dataclass(frozen=True)
class NextKeys:
    """Of either side, ascending; ``in_shadow`` are those that the shadow lists."""

    keys: list[str]
    in_shadow: frozenset[str]


def next_keys(store: VectorStore, spec: ShadowSpec, *, after: str, until: str, limit: int, tenant: str | None) -> NextKeys:
    """As ``keys_of_both``."""
    live = store.keys(spec.live, after=after, until=until, limit=limit, tenant=tenant)
    shadow = store.keys(spec.shadow, after=after, until=until, limit=limit, tenant=tenant)
    keys = sorted({*live, *shadow})[:limit]  # no key of either side lies between these that is not among them
    return NextKeys(keys, frozenset(shadow))


def keys_of_both(store: VectorStore, spec: ShadowSpec, *, after: str, until: str, limit: int, tenant: str | None) -> list[str]:
    """The next ``limit`` keys in ``(after, until]`` of either side, ascending; empty when neither has more."""
    return next_keys(store, spec, after=after, until=until, limit=limit, tenant=tenant).keys


def read_both(
    store: VectorStore,
    clock: Clock,
    spec: ShadowSpec,
    keys: Sequence[str],
    *,
    tenant: str | None,
    in_shadow: Collection[str] | None = None,
) -> BothSides:
    """A tenant that was removed from live holds nothing there, and is not asked for what the shadow holds.

    Of the shadow only those ``in_shadow`` are read, where that is known: of most pages none. What a listing
    does not show is not proven to be absent, nor need it be: the reads under the rows find what is too much.
    """
    at_s = clock.monotonic()
    if tenant is not None and tenant not in store.tenants(spec.live):
        return BothSides(ReadAhead({}, {}), at_s)
    live = store.read(spec.live, keys, tenant=tenant)
    copied = keys if in_shadow is None else [key for key in keys if key in in_shadow]
    return BothSides(ReadAhead(live, store.read(spec.shadow, copied, tenant=tenant) if copied else {}), at_s)
