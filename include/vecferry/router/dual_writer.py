"""Writes: to the authoritative collection, acknowledged when it has acknowledged, with the shadow following (rules 1 to 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from vecferry.domain.journal import RowKind
from vecferry.domain.pins import Pin
from vecferry.domain.routing import Snapshot
from vecferry.domain.timing import Timings
from vecferry.errors import BadInput, Conflict, NotWritten, Retryable, UnknownOutcome, VecferryError
from vecferry.ports import Clock, Ledger
from vecferry.protocol.fence import Fence
from vecferry.protocol.ownership import OwnedRows, open_rows
from vecferry.router.membership import Membership
from vecferry.router.operations import Held
from vecferry.router.reconcile_queue import Job, ReconcileQueue
from vecferry.router.results import Progress

T = TypeVar("T")


@dataclass(frozen=True)
class WriteOperation:
    """One write: the routing under which it began, and whether the lease has held since (rule 15)."""

    snapshot: Snapshot
    lease_held: Callable[[], bool]

    @property
    def pin(self) -> Pin:
        return self.snapshot.pin

    @property
    def live_model_gone(self) -> bool:
        """Whether live takes objects without a vector."""
        migration = self.snapshot.migration
        return migration is not None and migration.live_model_gone


@dataclass
class Sending:
    """What the block of ``sending`` holds: the fence to check before each further send; afterwards the shadow's progress.

    Keys that the block puts into ``unclear`` keep their rows (rule 4). ``by_the_application``: the block sends what we do not
    see, so that its exceptions say nothing about what was written.
    """

    fence: Fence
    unclear: frozenset[str] = frozenset()
    by_the_application: bool = False
    progress: Progress | None = None


def _follows(snapshot: Snapshot, tenant: str | None) -> bool:
    """Whether the shadow has what is written."""
    return snapshot.copying and snapshot.migration is not None and snapshot.migration.covers(tenant)


class Rerouted(NotWritten):
    """The journal no longer takes rows for the migration that this write began under; nothing was sent."""


class DualWriter:
    """Runs one write operation at a time per caller: hold → row → send → fence → acknowledge → queue the reconcile."""

    def __init__(
        self, *, membership: Membership, ledger: Ledger, queue: ReconcileQueue, clock: Clock, timings: Timings
    ) -> None:
        self._membership = membership
        self._ledger = ledger
        self._queue = queue
        self._clock = clock
        self._timings = timings

    def anew_if_rerouted(self, write: Callable[[], T]) -> T:
        """A write that met a newer routing than it began under has sent nothing: it begins once more, under that one."""
        try:
            return write()
        except Rerouted:
            with suppress(VecferryError):  # the write itself says what is wrong
                self._membership.refresh()
            return write()

    @contextmanager
    def operation(self, timeout_s: float) -> Iterator[WriteOperation]:
        """A write under one routing snapshot; new ones are held during a freeze, and a hold that runs out undoes the freeze."""
        deadline = self._clock.monotonic() + timeout_s
        self._membership.refuse_writing()  # before it waits: who may not write must not undo a freeze either
        while True:
            left = deadline - self._clock.monotonic()
            lease_held = self._membership.unbroken_lease()
            try:
                with self._membership.operations.write(min(left, self._timings.freeze_hold_s)) as snapshot:
                    self._membership.refuse_writing()
                    yield WriteOperation(snapshot, lease_held)
                    return
            except Retryable as error:  # only what comes before sending raises it: ``sending`` makes it unknown
                raise NotWritten(error.what, where=error.where, next_action=error.next_action or "Try again.") from error
            except Held as held:
                self._undo_freeze(held.snapshot)
                if deadline - self._clock.monotonic() <= 0:
                    raise NotWritten(
                        f"the write waited {timeout_s} s for a freeze to end",
                        where=held.snapshot.pin.name,
                        next_action="Try again: the freeze has been undone.",
                    ) from held

    @contextmanager
    def sending(self, operation: WriteOperation, keys: Sequence[str], tenant: str | None) -> Iterator[Sending]:
        """The block sends to the authoritative collection, under journal rows for ``keys``; leaving it means acknowledged.

        What the store refuses as bad input changed nothing and never will: its rows are closed at once, for a tenant that does
        not exist could not be reconciled either, and would keep them for ever. After another definite refusal the shadow
        follows all the same: a reconcile of an unchanged object costs little, and nobody else would close the rows. Any other
        exception leaves them to the janitor (rule 4). Without a migration there are no rows and nothing follows.
        """
        snapshot = operation.snapshot
        owned = self._open_rows(operation, keys, tenant) if _follows(snapshot, tenant) else None
        fence = owned.fence if owned else self._lease_fence(operation)
        sending = Sending(fence)
        try:
            fence.check()
            yield sending
        except BadInput:
            if not sending.by_the_application:
                self._close(owned)
            raise
        except NotWritten:
            if not sending.by_the_application:
                self._follow(snapshot, owned)
            raise
        except Retryable as error:  # a read failed in the middle: what was sent before it is not known to be all
            raise UnknownOutcome(error.what, where=error.where, next_action="Read the object before you decide.") from error
        fence.check()  # rule 7: also before acknowledging
        sending.progress = self._follow(snapshot, owned, unclear=sending.unclear)

    def _open_rows(self, operation: WriteOperation, keys: Sequence[str], tenant: str | None) -> OwnedRows:
        snapshot = operation.snapshot
        assert snapshot.migration is not None
        try:
            return open_rows(
                self._ledger,
                self._clock,
                self._timings,
                snapshot.migration.id,
                keys,
                tenant=tenant,
                owner=self._membership.router_id,
                kind=RowKind.WRITE,
                also=operation.lease_held,
            )
        except Conflict as error:  # the routing moved on since this write began: discard, or the flip
            if operation.lease_held():  # rule 15: what outlived its lease ends here, whatever comes after
                raise Rerouted(error.what, where=snapshot.pin.name, next_action="Try again.") from error
            raise self._no_row(snapshot, error) from error
        except (UnknownOutcome, Retryable) as error:  # rule 1: no certain row, no write
            raise self._no_row(snapshot, error) from error

    @staticmethod
    def _no_row(snapshot: Snapshot, error: VecferryError) -> NotWritten:
        return NotWritten(
            f"the journal did not take the write ({error.what})",
            where=snapshot.pin.name,
            next_action="Try again; if it lasts, check that the ledger can be reached.",
        )

    def _lease_fence(self, operation: WriteOperation) -> Fence:
        return Fence(self._clock, self._clock.monotonic() + self._timings.row_deadline_s, also=operation.lease_held)

    def _follow(self, snapshot: Snapshot, owned: OwnedRows | None, *, unclear: frozenset[str] = frozenset()) -> Progress | None:
        if owned is None or snapshot.migration is None:
            return None
        progress = Progress()
        clear = replace(owned, rows=tuple(row for row in owned.rows if row.key not in unclear))
        if clear.rows:
            self._queue.put(Job(snapshot.migration, clear, progress))
        else:
            progress.finish(UnknownOutcome("nothing of it is confirmed", next_action="The janitor will catch up."))
        return progress

    def _close(self, owned: OwnedRows | None) -> None:
        """If the ledger cannot be reached just now, the janitor closes them."""
        if owned is not None:
            with suppress(VecferryError):
                self._ledger.close_rows(owned.rows)

    def _undo_freeze(self, snapshot: Snapshot) -> None:
        """One of the two wins: this, or the flip; either way the next snapshot releases the writes."""
        pin, version = snapshot.pin.name, snapshot.routing.version
        try:
            self._ledger.undo_freeze(pin, version, who=self._membership.router_id, why="a held write ran out of patience")
            self._membership.refresh()
        except (Retryable, UnknownOutcome):
            return  # the ledger is away for a moment: the caller's loop asks again until its own deadline
