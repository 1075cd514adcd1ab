"""The keys of live and shadow together: who scans one side alone does not see what is missing or too much on the other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from vecferry.domain.chunks import LAST
from vecferry.domain.objects import StoredObject
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
    """The next ``limit`` keys in ``(after, until]`` of either side, ascending; empty when neither has more."""
    live = store.keys(spec.live, after=after, until=until, limit=limit, tenant=tenant)
    shadow = store.keys(spec.shadow, after=after, until=until, limit=limit, tenant=tenant)
    keys = sorted({*live, *shadow})[:limit]  # no key of either side lies between these that is not among them
    return NextKeys(keys, frozenset(shadow))


@dataclass(frozen=True)
class ListedPage:
    """Of either side what is listed under these keys, ascending."""

    keys: list[str]
    live: dict[str, StoredObject]
    shadow: dict[str, StoredObject]


def page_of_both(
    store: VectorStore, spec: ShadowSpec, *, after: str, limit: int, tenant: str | None, vectors: bool
) -> ListedPage:
    """The next ``limit`` keys behind ``after`` that either side lists, and their objects; no keys when neither has more.

    What was listed and is gone when it is read counts as a key: else what the other side holds behind it would be passed over.

    Of live no vector but those that are carried, and of the shadow none but these where ``vectors`` are not looked at.
    """
    live = store.page(spec.live, after=after, until=LAST, limit=limit, tenant=tenant, vectors=spec.read_of(spec.live))
    needed = spec.read_of(spec.shadow) if vectors else spec.carried
    shadow = store.page(spec.shadow, after=after, until=LAST, limit=limit, tenant=tenant, vectors=needed)
    keys = sorted({*live.keys, *shadow.keys})[:limit]  # no key of either side lies between these that is not among them
    objects = ({key: page.objects[key] for key in keys if key in page.objects} for page in (live, shadow))
    return ListedPage(keys, *objects)


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
    live = store.read(spec.live, keys, tenant=tenant, vectors=spec.read_of(spec.live))
    copied = keys if in_shadow is None else [key for key in keys if key in in_shadow]
    return BothSides(ReadAhead(live, store.read(spec.shadow, copied, tenant=tenant) if copied else {}), at_s)
