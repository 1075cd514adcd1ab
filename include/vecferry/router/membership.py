"""A router's lease and its snapshot of the routing: what it may do, decided without I/O (rules 14 and 15)."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Callable

from vecferry.domain.lifecycle import PROTOCOL_VERSION
from vecferry.domain.routing import Lease, Snapshot
from vecferry.domain.timing import Timings
from vecferry.errors import Conflict
from vecferry.ports import Clock, Ledger, VectorStore
from vecferry.router.operations import Operations


class Membership:
    """Registers, renews, adopts new routing versions and acknowledges them once older operations have finished.

    ``refresh`` is called by a thread in the Router; ``valid`` is read before each send. The lease counts from before the
    renewal was sent, on this process's monotonic clock. While no migration is active it is long, so that a ledger outage stops
    nobody; it becomes short with the first snapshot of a migration.
    """

    def __init__(self, pin: str, ledger: Ledger, store: VectorStore, clock: Clock, timings: Timings) -> None:
        self._pin = pin
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._timings = timings
        self.router_id = ""
        self._turn = threading.Lock()
        self._term = 0
        self._valid_until = 0.0
        self._renew_at = 0.0
        self._acknowledged = 0
        self._lease_s = timings.idle_lease_s
        self.operations = Operations(clock, self._register(), quarantine_s=timings.quarantine_s)
        self._renew_if_due()

    @property
    def snapshot(self) -> Snapshot:
        return self.operations.snapshot

    @property
    def valid(self) -> bool:
        """Whether the lease still holds. Past it a router writes nothing and reads from live."""
        return self._clock.monotonic() < self._valid_until

    def unbroken_lease(self) -> Callable[[], bool]:
        """Answers whether the lease has held ever since this call.

        A barrier passes over an expired router: what the router began before must not go on, though the lease is renewed.
        """
        term = self._term
        return lambda: self.valid and self._term == term

    @property
    def poll_s(self) -> float:
        return self._timings.freeze_poll_s if self.operations.held else self._timings.poll_s

    def refresh(self) -> bool:
        """One turn: read the routing, adopt, acknowledge. Returns whether the version changed; raises as the ledger does."""
        with self._turn:  # a held write refreshes too: an older answer must not count after a newer one
            if self.operations.unknown and not self._store.alive():
                self.operations.store_was_down()
            changed = self.operations.adopt(self._ledger.snapshot(self._pin))
            self._renew_if_due()
            return changed

    def leave(self) -> None:
        """A clean stop deregisters at once; with operations of unknown outcome the lease is left to expire instead."""
        if not self.operations.unknown:
            self._ledger.deregister(self.router_id, pin=self._pin)
        self._valid_until = 0.0

    def _renew_if_due(self) -> None:
        wanted_lease_s = self._timings.lease_s if self.snapshot.copying else self._timings.idle_lease_s
        acknowledged = self.operations.acknowledgeable()
        due = self._clock.monotonic() >= self._renew_at
        if not due and wanted_lease_s == self._lease_s and acknowledged == self._acknowledged:
            return
        started = self._clock.monotonic()
        try:
            snapshot = self._ledger.renew(
                self.router_id, pin=self._pin, acknowledged_version=acknowledged, lease_s=wanted_lease_s
            )
        except Conflict:  # the lease is gone: expired for long, or the ledger was restored; the next turn acknowledges anew
            self.operations.start_over(self._register())
            return
        self.operations.adopt(snapshot)
        self._acknowledged = acknowledged
        self._counts_from(started, wanted_lease_s)

    def _register(self) -> Snapshot:
        self.router_id = f"router-{uuid.uuid4().hex[:12]}"
        started = self._clock.monotonic()
        lease = Lease(
            self.router_id,
            self._pin,
            self._clock.now(),
            self._lease_s,
            acknowledged_version=0,
            protocol_version=PROTOCOL_VERSION,
            where=f"{socket.gethostname()}:{os.getpid()}",
        )
        snapshot = self._ledger.register(lease)
        self._acknowledged = 0
        self._counts_from(started, self._lease_s)
        return snapshot

    def _counts_from(self, started: float, lease_s: float) -> None:
        if not self.valid:
            self._term += 1  # before the lease is valid again: whoever sees that must see this
        self._lease_s = lease_s
        self._valid_until = started + lease_s
        self._renew_at = started + lease_s / 3
