"""A migration's tenants: waking live's for a step, and what the shadow's become when it decides for itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from vecferry.domain.lifecycle import Migration
from vecferry.domain.tenants import covers
from vecferry.errors import NotFound
from vecferry.ports import Ports, VectorStore
from vecferry.protocol.waking import waking

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def awake(ports: Ports, migration: Migration) -> Iterator[Ports]:
    """Ports whose store wakes live's tenants as they are read, and puts them back at the end."""
    with waking(ports.store, ports.ledger, ports.clock, migration) as store:
        yield ports if store is ports.store else replace(ports, store=store)


def limited(ports: Ports, collection: str, tenants: Collection[str]) -> Ports:
    """Ports whose store lists only these of a collection's tenants; all where none are named."""
    return replace(ports, store=cast(VectorStore, _SomeTenants(ports.store, collection, tenants))) if tenants else ports


class _SomeTenants:
    def __init__(self, store: VectorStore, collection: str, tenants: Collection[str]) -> None:
        self._store, self._collection, self._tenants = store, collection, tenants

    def tenants(self, collection: str) -> dict[str, str]:
        found = self._store.tenants(collection)
        return {name: found[name] for name in found if collection != self._collection or covers(self._tenants, name)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def with_tenants_awake(step: Callable[Concatenate[Ports, str, P], T]) -> Callable[Concatenate[Ports, str, P], T]:
    """For a step of (ports, migration id, …) that reads live's objects."""

    @wraps(step)
    def run(ports: Ports, migration_id: str, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with awake(ports, ports.ledger.migration(migration_id)) as woken:
            return step(woken, migration_id, *args, **kwargs)

    return run


def settle(ports: Ports, migration: Migration) -> None:
    """After the flip: the shadow's tenants have live's settings, and each is as active as live's was. Idempotent."""
    spec, store = migration.spec, ports.store
    try:
        wanted = store.tenants(spec.live)
    except NotFound:  # dropped since: it was settled before
        return
    if not wanted:
        return
    live, shadow = store.schema(spec.live), store.schema(spec.shadow)
    if live["multiTenancyConfig"] != shadow["multiTenancyConfig"]:
        store.set_tenancy(spec.shadow, live["multiTenancyConfig"])
    now = store.tenants(spec.shadow)
    different = {name: status for name, status in wanted.items() if name in now and now[name] != status}
    if different:
        store.set_tenants(spec.shadow, different)
