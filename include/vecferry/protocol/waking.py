"""Live's sleeping tenants, for as long as somebody must read them.

A tenant that its application has put to sleep (inactive, offloaded) answers nobody. Whoever copies or judges it wakes it and
puts it back as it was found; that it was woken is an event before it is done, so that a crash leaves nothing awake for ever.
The shadow's tenants need none of this: until ``retire`` they wake by themselves (``domain.schema``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, cast

from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.shadow import ShadowSpec
from vecferry.domain.tenants import ACTIVE, NOT_ACTIVE, asleep, on_its_way
from vecferry.errors import BadInput, NeedsPerson, Retryable, VecferryError
from vecferry.ports import Clock, Event, Ledger, VectorStore

WOKEN, PUT_BACK = "tenant_woken", "tenant_put_back"
_READS = frozenset({"count", "keys", "read", "page", "indexed", "stamp_counts"})
_MOST_EVENTS = 1_000_000
_PAGE = 1_000
_ONLOAD_S, _POLL_S = 900.0, 0.2
_READ_FOR_S = 600.0
"""A worker may be at a tenant for longer: put back under its hands it is woken anew."""
_MOST_REFUSALS = 20
"""Of one read, before it counts as wrong in itself: so many other workers may be done with its tenant at that moment."""


@contextmanager
def waking(store: VectorStore, ledger: Ledger, clock: Clock, migration: Migration) -> Iterator[VectorStore]:
    """A store whose reads of live wake tenants, one at a time; on leaving, all of them sleep again. The same store where there
    is nothing to wake, since the migration is over. The store is not asked before somebody reads: the way back needs none."""
    if isinstance(store, _WakingStore) or migration.ended:
        yield store
        return
    tenants = _Tenants(store, ledger, clock, migration)
    try:
        yield cast(VectorStore, _WakingStore(store, migration.spec, tenants, migration.covers))
    finally:
        with suppress(VecferryError):  # it is in the ledger: whoever wakes tenants next puts these back too
            tenants.put_back()


def left_awake(ledger: Ledger, migration_id: str, *, until: datetime | None = None) -> dict[str, str]:
    """Tenant → the status in which it was found, of those that were woken (``until`` then) and not put back since."""
    found: dict[str, tuple[datetime, str]] = {}
    for what in (WOKEN, PUT_BACK):
        for event in ledger.events(migration_id=migration_id, what=what, limit=_MOST_EVENTS):
            tenant, at = event.detail["tenant"], event.at
            if tenant not in found or at >= found[tenant][0]:
                found[tenant] = (at, event.detail["status"] if what == WOKEN else "")
    return {tenant: status for tenant, (at, status) in found.items() if status and (until is None or at <= until)}


class _WakingStore:
    """A ``VectorStore``: everything but reads of live's objects is the store's own."""

    def __init__(self, store: VectorStore, spec: ShadowSpec, tenants: _Tenants, covers: Callable[[str], bool]) -> None:
        self._store, self._live, self._tenants = store, spec.live, tenants
        self._covers = covers
        self._both = (spec.live, spec.shadow)

    def tenants(self, collection: str) -> dict[str, str]:
        """Those of either side that sleep are as good as active: whoever asks for their objects here is answered. Of live only
        those that move."""
        found = self._store.tenants(collection)
        if collection == self._live:
            found = self._those_that_move(found)
        return {name: ACTIVE if collection in self._both and asleep(status) else status for name, status in found.items()}

    def _those_that_move(self, found: dict[str, str]) -> dict[str, str]:
        moving = {name: status for name, status in found.items() if self._covers(name)}
        if found and not moving:  # an empty list would be that of a collection without tenants
            raise NeedsPerson(
                "none of the tenants on trial exists any more",
                where=self._live,
                next_action="End the trial: vecferry rollback, then vecferry discard.",
            )
        return moving

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._store, name)
        return self._awake(call) if name in _READS else call

    def _awake(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def asked(collection: str, *given: Any, tenant: str | None = None, **options: Any) -> Any:
            if tenant is None or collection != self._live:
                return call(collection, *given, tenant=tenant, **options)
            self._tenants.turn_to(tenant)
            for _ in range(_MOST_REFUSALS):
                try:
                    return call(collection, *given, tenant=tenant, **options)
                except BadInput as error:  # another worker was done with it, or its application; a third may have woken it
                    if NOT_ACTIVE not in error.what or not self._tenants.wake(tenant):
                        raise
                    self._tenants.give_time()
            return call(collection, *given, tenant=tenant, **options)

        return asked


class _Tenants:
    def __init__(self, store: VectorStore, ledger: Ledger, clock: Clock, migration: Migration) -> None:
        self._store, self._ledger, self._clock, self._migration = store, ledger, clock, migration
        self._turn = ""
        self._lock = threading.RLock()

    @cached_property
    def _woken(self) -> dict[str, str]:
        """Whoever woke them: what a crash left awake is put back by the next. Of a backfill, whose workers are many, only what
        was woken a while ago: another is still reading the others."""
        many = self._migration.phase is Phase.DUAL_WRITING
        long_ago = self._clock.now() - timedelta(seconds=_READ_FOR_S) if many else None
        return left_awake(self._ledger, self._migration.id, until=long_ago)

    def turn_to(self, tenant: str) -> None:
        """One at a time: a thousand tenants awake are a thousand indexes in memory."""
        with self._lock:
            if tenant != self._turn:
                self.put_back(but=tenant)
                self.wake(tenant)
                self._turn = tenant

    def wake(self, tenant: str) -> bool:
        """Whether there is such a tenant. The event comes first: a crash in between puts back what was never woken, which
        does nothing."""
        with self._lock:
            status = self._status(tenant)
            if not asleep(status) and not on_its_way(status):
                return bool(status)
            if asleep(status):
                self._woken[tenant] = status
                self._note(WOKEN, tenant, f"it is {status.lower()}, and must be read", status)
                self._store.set_tenants(self._migration.spec.live, {tenant: ACTIVE})
            self._wait(tenant)
            return True

    def give_time(self) -> None:
        """A server that calls a tenant active may still be opening it."""
        self._clock.sleep(_POLL_S / 2)

    def put_back(self, *, but: str | None = None) -> None:
        spec = self._migration.spec
        with self._lock:
            for tenant, status in [item for item in self._woken.items() if item[0] != but]:
                del self._woken[tenant]
                rows = self._rows_of(tenant)
                if RowKind.WRITE in rows:
                    self._note(PUT_BACK, tenant, "left awake: an application writes to it", ACTIVE)
                if rows:  # the janitor needs it; whoever comes next puts it back
                    continue
                if self._status(tenant) == ACTIVE:
                    self._store.set_tenants(spec.live, {tenant: status})
                self._note(PUT_BACK, tenant, "as it was found", status)

    def _rows_of(self, tenant: str) -> set[RowKind]:
        return {row.kind for row in self._ledger.rows(self._migration.id, limit=_PAGE) if row.tenant == tenant}

    def _status(self, tenant: str) -> str:
        return self._store.tenants(self._migration.spec.live).get(tenant, "")

    def _wait(self, tenant: str) -> None:
        """An offloaded tenant is fetched from where it is kept."""
        ends_at = self._clock.monotonic() + _ONLOAD_S
        while (status := self._status(tenant)) not in (ACTIVE, ""):
            if self._clock.monotonic() > ends_at:
                where = f"{self._migration.spec.live}/{tenant}"
                raise Retryable(f"the tenant is still {status} after {_ONLOAD_S:.0f} s", where=where)
            self._clock.sleep(_POLL_S)

    def _note(self, what: str, tenant: str, why: str, status: str) -> None:
        migration = self._migration
        detail: Mapping[str, str] = {"tenant": tenant, "status": status}
        who = f"vecferry:{migration.id}"
        self._ledger.record_event(Event(self._clock.now(), who, what, f"{tenant}: {why}", migration.pin, migration.id, detail))
