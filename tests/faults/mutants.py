"""The product with one rule dropped: patches in tests only, so that no switch in the product could do it by mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from vecferry.adapters.embedders import embedder
from vecferry.adapters.ledger import routing_rules
from vecferry.adapters.memory import embedder as memory_embedder
from vecferry.adapters.memory.ledger_freeze import MemoryFreeze
from vecferry.adapters.memory.ledger_journal import MemoryJournal
from vecferry.adapters.memory.ledger_migrations import MemoryMigrations
from vecferry.domain import shadow
from vecferry.domain.journal import JournalRow, RowKind
from vecferry.domain.lifecycle import Migration
from vecferry.domain.objects import StoredObject
from vecferry.domain.recipe import text_hash
from vecferry.domain.routing import Barrier, Lease, Mode, barrier
from vecferry.domain.shadow import differences
from vecferry.errors import Conflict, NotWritten, UnknownOutcome
from vecferry.protocol import reconcile
from vecferry.protocol.fence import Fence
from vecferry.protocol.ownership import OwnedRows
from vecferry.protocol.reconcile import Reconciled, Reconciler
from vecferry.protocol.watch import Watch
from vecferry.router import writing
from vecferry.router.dual_writer import DualWriter, Sending, WriteOperation
from vecferry.router.membership import Membership
from vecferry.router.operations import Operations
from vecferry.router.writing import Writing
from vecferry.steps import backfill, copying, discard, plan, readiness, retire, verify_parity
from vecferry.steps.both_sides import NextKeys
from vecferry.steps.readiness import YES

Mutant = Callable[[pytest.MonkeyPatch], None]


def writers_open_their_rows_afterwards(patch: pytest.MonkeyPatch) -> None:
    """Rule 1: the row is committed after the first write."""

    @contextmanager
    def sending(self: DualWriter, operation: WriteOperation, keys: Sequence[str], tenant: Any) -> Iterator[Sending]:
        yield Sending(self._lease_fence(operation))
        if operation.snapshot.copying:
            self._follow(operation.snapshot, self._open_rows(operation, keys, tenant))

    patch.setattr(DualWriter, "sending", sending)


def writers_go_on_without_a_certain_row(patch: pytest.MonkeyPatch) -> None:
    """Rule 1: the insert's outcome is unknown, and the write is sent."""
    open_rows = DualWriter._open_rows

    def uncertain(self: DualWriter, operation: WriteOperation, keys: Sequence[str], tenant: Any) -> OwnedRows:
        try:
            return open_rows(self, operation, keys, tenant)
        except NotWritten as refused:
            if not isinstance(refused.__cause__, UnknownOutcome) or operation.snapshot.migration is None:
                raise
            migration_id = operation.snapshot.migration.id
            rows = tuple(JournalRow(-1, migration_id, tenant, key, "", "", RowKind.WRITE) for key in keys)
            return OwnedRows(rows, tenant, self._lease_fence(operation))

    patch.setattr(DualWriter, "_open_rows", uncertain)


def one_row_covers_a_key(patch: pytest.MonkeyPatch) -> None:
    """Rule 1: whoever finishes with a key takes the others' cover along."""

    def close_rows(self: MemoryJournal, rows: Sequence[JournalRow]) -> int:
        keys = {row.key for row in rows}
        gone = [row_id for row_id, entry in self._tables.journal.items() if entry.row.key in keys]
        for row_id in gone:
            del self._tables.journal[row_id]
        return len(gone)

    patch.setattr(MemoryJournal, "close_rows", close_rows)


def without_the_reread_of_live(patch: pytest.MonkeyPatch) -> None:
    """Rule 2."""

    def once(
        self: Reconciler, pending: list[str], tenant: Any, fence: Any, purpose: Any, reinsert: Any, done: Reconciled
    ) -> None:
        live = self.store.read(self.spec.live, pending, tenant=tenant)
        self._write(pending, live, tenant, fence, purpose, reinsert, done)
        shadow = self.store.read(self.spec.shadow, pending, tenant=tenant)
        done.in_sync |= {k for k in pending if not differences(self.spec, live.get(k), shadow.get(k))}

    patch.setattr(Reconciler, "_until_stable", once)


def without_the_read_back_of_the_shadow(patch: pytest.MonkeyPatch) -> None:
    """Rule 2a."""

    def trusting(
        self: Reconciler, pending: list[str], tenant: Any, fence: Any, purpose: Any, reinsert: Any, done: Reconciled
    ) -> None:
        live = self.store.read(self.spec.live, pending, tenant=tenant)
        self._write(pending, live, tenant, fence, purpose, reinsert, done)
        again = self.store.read(self.spec.live, pending, tenant=tenant)
        done.in_sync |= {k for k in pending if self._same(live.get(k), again.get(k))} - done.doubtful

    patch.setattr(Reconciler, "_until_stable", trusting)


def only_the_text_is_compared(patch: pytest.MonkeyPatch) -> None:
    """Rule 3."""

    def text_alone(obj: StoredObject, carried_vectors: Sequence[str] = ()) -> str:
        return text_hash(str(obj.properties.get("body")))

    patch.setattr(reconcile, "content_hash", text_alone)
    patch.setattr(shadow, "content_hash", text_alone)


def unknown_live_writes_are_followed(patch: pytest.MonkeyPatch) -> None:
    """Rule 4, on L."""

    @contextmanager
    def sending(self: DualWriter, operation: WriteOperation, keys: Sequence[str], tenant: Any) -> Iterator[Sending]:
        owned = self._open_rows(operation, keys, tenant)
        try:
            yield Sending(owned.fence)
        finally:
            self._follow(operation.snapshot, owned)

    patch.setattr(DualWriter, "sending", sending)


def unknown_shadow_writes_are_tried_again(patch: pytest.MonkeyPatch) -> None:
    """Rule 4, on S."""
    send = Reconciler._send

    def again(self: Reconciler, *given: Any) -> None:
        try:
            send(self, *given)
        except UnknownOutcome:
            send(self, *given)

    patch.setattr(Reconciler, "_send", again)


def ambiguous_live_writes_are_retried(patch: pytest.MonkeyPatch) -> None:
    """Rule 5."""
    made = Writing.__init__

    class Retrying:
        def __init__(self, store: Any) -> None:
            self._store = store

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        def put(self, *given: Any, **named: Any) -> None:
            try:
                self._store.put(*given, **named)
            except UnknownOutcome:
                self._store.put(*given, **named)

    patch.setattr(Writing, "__init__", lambda self, *, store, **named: made(self, store=Retrying(store), **named))


def updates_send_vectors_for_others(patch: pytest.MonkeyPatch) -> None:
    """Rule 5, for vectors: an update that wrote no text mends the vector of a text that somebody else wrote meanwhile."""
    patch.setattr(writing, "_may_misfit", lambda pin, merged: True)


def owners_do_not_fence_themselves(patch: pytest.MonkeyPatch) -> None:
    """Rule 7."""
    patch.setattr(Fence, "check", lambda self: None)


def rows_are_closed_by_id_alone(patch: pytest.MonkeyPatch) -> None:
    """Rule 8."""

    def close_rows(self: MemoryJournal, rows: Sequence[JournalRow]) -> int:
        return sum(self._tables.journal.pop(row.id, None) is not None for row in rows)

    patch.setattr(MemoryJournal, "close_rows", close_rows)


def the_janitor_takes_over_at_once(patch: pytest.MonkeyPatch) -> None:
    """Rule 9."""
    patch.setattr(Watch, "unchanged_for_long", lambda self, rows, asked_at: list(rows))


def claims_keep_the_token(patch: pytest.MonkeyPatch) -> None:
    """Rule 10."""

    def claim_rows(self: MemoryJournal, rows: Sequence[JournalRow], *, owner: str) -> list[JournalRow]:
        return [row for row in rows if row.id in self._tables.journal]

    patch.setattr(MemoryJournal, "claim_rows", claim_rows)


def copiers_open_no_rows(patch: pytest.MonkeyPatch) -> None:
    """Rules 11 and 12."""

    def no_rows(ledger: Any, clock: Any, timings: Any, migration_id: str, keys: Sequence[str], **named: Any) -> OwnedRows:
        rows = tuple(JournalRow(-1, migration_id, named["tenant"], key, "", "", RowKind.BACKFILL) for key in keys)
        return OwnedRows(rows, named["tenant"], Fence(clock, clock.monotonic() + timings.row_deadline_s))

    patch.setattr(copying, "open_rows", no_rows)


def backfill_scans_live_alone(patch: pytest.MonkeyPatch) -> None:
    """Rule 14: what an early adopter copied and an un-journaled delete then took from live."""

    def of_live(store: Any, spec: Any, **where: Any) -> NextKeys:
        keys = store.keys(spec.live, **where)
        return NextKeys(keys, frozenset(keys))

    patch.setattr(backfill, "next_keys", of_live)


def parity_puts_what_is_not_indexed_again(patch: pytest.MonkeyPatch) -> None:
    """Rule 12a."""
    copy_keys = verify_parity.copy_keys
    patch.setattr(verify_parity, "copy_keys", lambda *given, reinsert, **named: copy_keys(*given, **named))


def the_janitor_does_not_ask_the_index(patch: pytest.MonkeyPatch) -> None:
    """Rule 12a."""
    patch.setattr(Reconciler, "_lacking", lambda self, keys, tenant: frozenset())


def restarts_are_not_noticed(patch: pytest.MonkeyPatch) -> None:
    """Rule 12a: parity was proven once."""
    for asks in (verify_parity, retire):
        patch.setattr(asks, "restarted_since", lambda ports, migration: False)


def the_flip_does_not_notice_a_restart(patch: pytest.MonkeyPatch) -> None:
    """Rule 12a: only the entrance asks."""
    patch.setattr(retire, "restarted_since", lambda ports, migration: False)


def unknown_operations_finish_at_once(patch: pytest.MonkeyPatch) -> None:
    """Rule 14."""
    patch.setattr(Operations, "acknowledgeable", lambda self: self.snapshot.routing.version)


def unknown_operations_do_not_count(patch: pytest.MonkeyPatch) -> None:
    """Rule 14: those under way are waited for; those of unknown outcome are not."""
    made = Operations.__init__
    patch.setattr(
        Operations,
        "__init__",
        lambda self, clock, snapshot, *, quarantine_s: made(self, clock, snapshot, quarantine_s=0.0),
    )


def barriers_pass_at_the_moment_of_expiry(patch: pytest.MonkeyPatch) -> None:
    """Rule 15: without Q after it."""

    def hasty(leases: list[Lease], version: int, **named: Any) -> Barrier:
        return barrier(leases, version, **named | {"quarantine_s": 0.0})

    patch.setattr(readiness, "barrier", hasty)
    patch.setattr(routing_rules, "barrier", hasty)


def routers_do_not_mind_their_lease(patch: pytest.MonkeyPatch) -> None:
    """Rule 15: past it they go on writing."""
    patch.setattr(Membership, "valid", property(lambda self: True))
    patch.setattr(Membership, "unbroken_lease", lambda self: lambda: True)


def a_renewed_lease_revives_old_operations(patch: pytest.MonkeyPatch) -> None:
    """Rule 15."""
    patch.setattr(Membership, "unbroken_lease", lambda self: lambda: self.valid)


def acts_do_not_compare_and_set(patch: pytest.MonkeyPatch) -> None:
    """Rule 16."""
    patch.setattr(routing_rules, "check_unmoved", lambda given, stored: None)


def discard_waits_for_nobody(patch: pytest.MonkeyPatch) -> None:
    """Rule 16: the shadow is dropped at once."""
    patch.setattr(discard, "_wait_for_writers", lambda ports, migration: None)


def a_new_attempt_takes_the_old_name(patch: pytest.MonkeyPatch) -> None:
    """Rule 16: with nobody waited for either, since each alone protects."""
    discard_waits_for_nobody(patch)
    check = MemoryMigrations._check_start

    def unchecked(self: MemoryMigrations, migration: Migration) -> None:
        with suppress(Conflict):
            check(self, migration)

    patch.setattr(MemoryMigrations, "_check_start", unchecked)
    name = plan._shadow_name
    patch.setattr(plan, "_shadow_name", lambda pin, card, attempt: name(pin, card, 1))


def the_flip_ignores_the_journal(patch: pytest.MonkeyPatch) -> None:
    """Retire, steps 3 and 4."""
    readiness = MemoryFreeze._readiness
    patch.setattr(retire, "obstacle", lambda ports, migration: None)
    patch.setattr(retire, "_journal_empty", lambda ports, migration: YES)
    patch.setattr(MemoryFreeze, "_readiness", lambda self, m: replace(readiness(self, m), journal_rows=0))


def the_flip_ignores_the_routers(patch: pytest.MonkeyPatch) -> None:
    """Retire, steps 2 and 4: the freeze is not acknowledged by all."""
    readiness_of = MemoryFreeze._readiness
    patch.setattr(retire, "obstacle", lambda ports, migration: None)
    patch.setattr(retire, "acknowledged", lambda ports, migration, version=None: YES)
    patch.setattr(MemoryFreeze, "_readiness", lambda self, m: replace(readiness_of(self, m), leases=[]))


def the_flip_ignores_the_undoing(patch: pytest.MonkeyPatch) -> None:
    """Retire, step 4: it does not ask whether the freeze is still on."""
    check_flip = routing_rules.check_flip

    def unconditional(given: Any, stored: Any, version: int, new_pin: Any, ready: Any, quarantine_s: float) -> None:
        frozen = replace(ready.routing, version=version, mode=Mode.FREEZE)
        check_flip(given, stored, version, new_pin, replace(ready, routing=frozen), quarantine_s)

    patch.setattr(routing_rules, "check_flip", unconditional)


def the_freeze_holds_nobody(patch: pytest.MonkeyPatch) -> None:
    """Retire, step 2."""
    patch.setattr(Operations, "held", property(lambda self: False))


def copiers_may_start_after_the_flip(patch: pytest.MonkeyPatch) -> None:
    """Retire, step 1."""
    patch.setattr(routing_rules, "may_open", lambda routing, migration_id, kind: True)


def nothing_stops_an_expired_router(patch: pytest.MonkeyPatch) -> None:
    """Rule 15 and retire, step 4, at once: either alone is enough to save this schedule."""
    owners_do_not_fence_themselves(patch)
    copiers_may_start_after_the_flip(patch)


def nobody_undoes_a_freeze(patch: pytest.MonkeyPatch) -> None:
    """Retire, step 4. The time that the hold takes passes by hand, since the clock of the fakes stands still."""
    patch.setattr(DualWriter, "_undo_freeze", lambda self, snapshot: self._clock.advance(1.0))


def answers_are_not_held_against_the_fingerprint(patch: pytest.MonkeyPatch) -> None:
    """Between two gates: the witness is asked and its vector not looked at."""
    for where in (memory_embedder, embedder):
        patch.setattr(where, "confirmed", lambda witness, vectors, **named: tuple(vectors[:-1]))
