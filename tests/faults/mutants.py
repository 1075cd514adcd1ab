"""The product with one rule dropped: patches in tests only, so that no switch in the product could do it by mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from vecferry.adapters.ledger import routing_rules
from vecferry.adapters.memory.ledger_freeze import MemoryFreeze
from vecferry.adapters.memory.ledger_journal import MemoryJournal
from vecferry.domain.journal import JournalRow, RowKind
from vecferry.domain.shadow import differences
from vecferry.errors import UnknownOutcome
from vecferry.protocol.fence import Fence
from vecferry.protocol.ownership import OwnedRows
from vecferry.protocol.reconcile import Reconciled, Reconciler
from vecferry.router.dual_writer import DualWriter, Sending, WriteOperation
from vecferry.router.membership import Membership
from vecferry.router.operations import Operations
from vecferry.steps import copying, retire, verify_parity
from vecferry.steps.readiness import YES

Mutant = Callable[[pytest.MonkeyPatch], None]


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


def owners_do_not_fence_themselves(patch: pytest.MonkeyPatch) -> None:
    """Rule 7."""
    patch.setattr(Fence, "check", lambda self: None)


def rows_are_closed_by_id_alone(patch: pytest.MonkeyPatch) -> None:
    """Rule 8."""

    def close_rows(self: MemoryJournal, rows: Sequence[JournalRow]) -> int:
        return sum(self._tables.journal.pop(row.id, None) is not None for row in rows)

    patch.setattr(MemoryJournal, "close_rows", close_rows)


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


def parity_puts_what_is_not_indexed_again(patch: pytest.MonkeyPatch) -> None:
    """Rule 12a."""
    copy_keys = verify_parity.copy_keys
    patch.setattr(verify_parity, "copy_keys", lambda *given, reinsert, **named: copy_keys(*given, **named))


def unknown_operations_finish_at_once(patch: pytest.MonkeyPatch) -> None:
    """Rule 14."""
    patch.setattr(Operations, "acknowledgeable", lambda self: self.snapshot.routing.version)


def a_renewed_lease_revives_old_operations(patch: pytest.MonkeyPatch) -> None:
    """Rule 15."""
    patch.setattr(Membership, "unbroken_lease", lambda self: lambda: self.valid)


def acts_do_not_compare_and_set(patch: pytest.MonkeyPatch) -> None:
    """Rule 16."""
    patch.setattr(routing_rules, "check_unmoved", lambda given, stored: None)


def the_flip_ignores_the_journal(patch: pytest.MonkeyPatch) -> None:
    """Retire, steps 3 and 4."""
    readiness = MemoryFreeze._readiness
    patch.setattr(retire, "_journal_empty", lambda ports, migration: YES)
    patch.setattr(MemoryFreeze, "_readiness", lambda self, m: replace(readiness(self, m), journal_rows=0))


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
