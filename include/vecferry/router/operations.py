"""Which operations are under way, and under which routing version they began (rule 14)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vecferry.domain.routing import Mode, Snapshot
from vecferry.errors import UnknownOutcome, VecferryError
from vecferry.ports import Clock


class Held(Exception):
    """The freeze outlasted this write's patience; carries the snapshot that holds it."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot.routing.version)
        self.snapshot = snapshot


@dataclass(eq=False)
class _Operation:
    version: int
    unknown_since: float | None = None


class Operations:
    """Counts operations by version, holds new ones during the freeze, and says which version may be acknowledged.

    An operation of unknown outcome finishes ``quarantine_s`` (Q) after it was sent; while the store does not answer as
    healthy that time starts anew, for a stopped server applies a write whenever it wakes.
    """

    def __init__(self, clock: Clock, snapshot: Snapshot, *, quarantine_s: float) -> None:
        self._clock = clock
        self._quarantine_s = quarantine_s
        self._changed = threading.Condition()
        self._open: set[_Operation] = set()
        self._snapshot = snapshot

    @property
    def snapshot(self) -> Snapshot:
        return self._snapshot

    def adopt(self, snapshot: Snapshot) -> bool:
        """Newer snapshots only; returns whether the routing version changed. The same version refreshes the journal figures."""
        with self._changed:
            if snapshot.routing.version < self._snapshot.routing.version:
                return False
            changed = snapshot.routing.version > self._snapshot.routing.version
            self._snapshot = snapshot
            self._changed.notify_all()
            return changed

    def start_over(self, snapshot: Snapshot) -> None:
        """After registering anew: what is under way is older than all versions of this lease. The snapshot's version may be a
        lower one, where a person has said that a ledger restored from a backup is to count."""
        with self._changed:
            for operation in self._open:
                operation.version = 0
            self._snapshot = snapshot
            self._changed.notify_all()

    @contextmanager
    def write(self, hold_s: float) -> Iterator[Snapshot]:
        """One write under one snapshot. Raises ``Held`` after ``hold_s`` of freeze.

        Anything but a definite answer (an unknown outcome, an exception of the application's own) keeps it open for Q.
        Waiting and beginning are one critical section: a write that slipped in between would begin under FREEZE unheld.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self.held, hold_s):
                raise Held(self._snapshot)
            snapshot = self._snapshot
            operation = _Operation(snapshot.routing.version)
            self._open.add(operation)
        try:
            yield snapshot
        except BaseException as error:
            if isinstance(error, UnknownOutcome) or not isinstance(error, VecferryError):
                operation.unknown_since = self._clock.monotonic()
            raise
        finally:
            if operation.unknown_since is None:
                with self._changed:
                    self._open.discard(operation)

    @property
    def held(self) -> bool:
        return self._snapshot.routing.mode is Mode.FREEZE

    @property
    def under_way(self) -> int:
        """Operations that have not finished, those of unknown outcome among them."""
        with self._changed:
            return len(self._open)

    @property
    def unknown(self) -> int:
        with self._changed:
            return sum(op.unknown_since is not None for op in self._open)

    def store_was_down(self) -> None:
        """Q starts anew from the first healthy answer after an outage."""
        now = self._clock.monotonic()
        with self._changed:
            for operation in self._open:
                if operation.unknown_since is not None:
                    operation.unknown_since = now

    def acknowledgeable(self) -> int:
        """The newest version under which everything older has finished."""
        now = self._clock.monotonic()
        with self._changed:
            for operation in list(self._open):
                if operation.unknown_since is not None and now - operation.unknown_since >= self._quarantine_s:
                    self._open.discard(operation)
            current = self._snapshot.routing.version
            return min((op.version for op in self._open), default=current)
