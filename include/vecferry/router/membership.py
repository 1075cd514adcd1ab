"""A router's lease and its snapshot of the routing: what it may do, decided without I/O (rules 14, 15 and 18)."""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable

from vecferry.domain.lifecycle import PROTOCOL_VERSION, Migration, understands
from vecferry.domain.routing import ROUTER_ID, Lease, Snapshot
from vecferry.domain.timing import Timings
from vecferry.errors import Conflict, LedgerRestored, NotFound, NotWritten, Retryable, VecferryError
from vecferry.ports import Clock, Ledger, VectorStore
from vecferry.protocol import restored
from vecferry.router.operations import Operations
from vecferry.router.signposts import Signposts

_log = logging.getLogger("vecferry.router")


class Membership:
    """Registers, renews, adopts new routing versions and acknowledges them once older operations have finished.

    ``refresh`` is called by a thread in the Router; ``valid`` is read before each send. The lease counts from before the
    renewal was sent, on this process's monotonic clock. While no migration is active it is long, so that a ledger outage stops
    nobody; it becomes short with the first snapshot of a migration.

    It stands aside (reads from live, writes nothing, and says why) while the active migration speaks a protocol that this
    release does not understand, and when the ledger turns out to be a restored backup.
    """

    def __init__(self, pin: str, ledger: Ledger, store: VectorStore, clock: Clock, timings: Timings) -> None:
        self._pin = pin
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._timings = timings
        self.signposts = Signposts(store, clock, every_s=timings.poll_s)
        self.where = f"{socket.gethostname()}:{os.getpid()}"
        self.router_id = f"{ROUTER_ID}{uuid.uuid4().hex[:12]}"
        self._turn = threading.Lock()
        self._speaks = PROTOCOL_VERSION
        self._term = 0
        self._valid_until = 0.0
        self._renew_at = 0.0
        self._acknowledged = 0
        self._lease_s = timings.idle_lease_s
        self._registered = False
        self._aside: VecferryError | None = None
        self.operations = Operations(clock, ledger.snapshot(pin), quarantine_s=timings.quarantine_s)
        self._start()

    @property
    def snapshot(self) -> Snapshot:
        return self.operations.snapshot

    @property
    def valid(self) -> bool:
        """Whether the lease still holds. Past it a router writes nothing and reads from live."""
        return self._clock.monotonic() < self._valid_until

    @property
    def aside(self) -> str:
        """Why this router reads from live, whatever the percent; empty while it takes part."""
        if self._aside is not None:
            reasons = {LedgerRestored: "ledger_restored", NotWritten: "protocol_not_understood"}
            return reasons.get(type(self._aside), "lease_expired")
        return "" if self.valid else "lease_expired"

    def refuse_writing(self) -> None:
        """Raises ``NotWritten`` while this router must not write (rules 15 and 18), naming it, the reason and the way out."""
        aside = self._aside
        if aside is not None:
            raise NotWritten(aside.what, where=aside.where, next_action=aside.next_action) from aside
        if not self.valid:
            raise NotWritten(
                "this router's lease has expired, so it must not write",
                where=self.snapshot.pin.name,
                next_action="It writes again as soon as the ledger can be reached; check VECFERRY_LEDGER_URL and the database.",
            )

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
            before = self.snapshot.routing.version
            try:
                self._poll()
            except LedgerRestored as error:
                self._stand_aside_from(error)
            return self.snapshot.routing.version != before

    def leave(self) -> None:
        """A clean stop deregisters at once; with operations of unknown outcome the lease is left to expire instead."""
        if not self.operations.unknown:
            self._ledger.deregister(self.router_id, pin=self._pin)
        self._valid_until = 0.0

    # --- one turn

    def _start(self) -> None:
        """What may pass does not keep the application from starting: it reads, and the next turn tries again."""
        with self._turn:
            try:
                self._take_part()
            except LedgerRestored as error:
                self._stand_aside_from(error)
            except Retryable as error:
                self._aside = error

    def _poll(self) -> None:
        """Asks with what it remembers: its lease, which somebody may have ended, and the version that it saw last."""
        lease = self.router_id if self._registered else None
        try:
            self.operations.adopt(self._ledger.snapshot(self._pin, router_id=lease, since=self.snapshot.routing.seen))
        except Conflict:  # expired for long, or dismissed
            self._lose_the_lease()
        except NotFound as error:
            raise LedgerRestored(
                "the ledger was restored from a backup: it does not know this pin any more",
                where=f"pin {self._pin}",
                next_action="Bring the right ledger back.",
            ) from error
        self._take_part()

    def _lose_the_lease(self) -> None:
        self._registered = False
        self._valid_until = 0.0

    def _take_part(self) -> None:
        migration = self.snapshot.migration
        if migration is not None and not self._understands(migration):
            self._read_only()
        elif not self._registered:
            self._begin_anew()
        else:
            self._aside = None
            self._renew_if_due()

    def _understands(self, migration: Migration) -> bool:
        return understands(self._speaks, migration)

    def _begin_anew(self) -> None:
        """All is as after an expiry: what began before sends nothing more, and the next turn acknowledges.

        A process that has just begun remembers nothing; the collections do, so they are asked before the ledger is believed.
        """
        self._term += 1
        restored.check(self._ledger, self._store, self.snapshot)
        self.operations.start_over(self._register())
        self._aside = None
        self._renew_if_due()

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
        except Conflict:  # dismissed between two calls: the next turn registers anew
            self._lose_the_lease()
            return
        self.operations.adopt(snapshot)
        self._acknowledged = acknowledged
        self._counts_from(started, wanted_lease_s)

    def _register(self) -> Snapshot:
        """A name of its own for each lease: rows that an earlier one opened are not this one's."""
        self.router_id = f"{ROUTER_ID}{uuid.uuid4().hex[:12]}"
        started = self._clock.monotonic()
        lease = Lease(
            self.router_id,
            self._pin,
            self._clock.now(),
            self._lease_s,
            acknowledged_version=0,
            protocol_version=self._speaks,
            where=self.where,
        )
        snapshot = self._ledger.register(lease)
        self._registered = True
        self._acknowledged = 0
        self._counts_from(started, self._lease_s)
        return snapshot

    def _counts_from(self, started: float, lease_s: float) -> None:
        if not self.valid:
            self._term += 1  # before the lease is valid again: whoever sees that must see this
        self._lease_s = lease_s
        self._valid_until = started + lease_s
        self._renew_at = started + lease_s / 3

    # --- standing aside

    def _read_only(self) -> None:
        """Rule 18. What is under way ends first; then the lease is given back, so that no barrier waits for its expiry."""
        migration = self.snapshot.migration
        assert migration is not None
        if self._aside is None:
            self._aside = NotWritten(
                f"router {self.router_id} at {self.where} speaks protocol {self._speaks}, and migration {migration.id} "
                f"protocol {migration.protocol_version} with hash version {migration.spec.hash_version}: it reads from live "
                "and writes nothing",
                where=self._pin,
                next_action="Upgrade vecferry in this process to the release that runs the migration.",
            )
            _log.error("%s", self._aside)
        if self._registered and not self.operations.under_way:
            self._ledger.deregister(self.router_id, pin=self._pin)
            self._lose_the_lease()

    def _stand_aside_from(self, error: LedgerRestored) -> None:
        """It keeps to what it saw last, and goes on once a person has said that the restored ledger is to count."""
        self._lose_the_lease()
        if not isinstance(self._aside, LedgerRestored):
            self._aside = error
            _log.error("router %s: %s", self._pin, error)
            restored.report(self._ledger, self._pin, error, who=f"{self.router_id} at {self.where}")
        elif restored.accepted_since(self._ledger, self._pin, self.snapshot.routing.seen):
            self.operations.start_over(self._ledger.snapshot(self._pin))
            self._take_part()
