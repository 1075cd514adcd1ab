"""What happens after the acknowledgement: the shadow is brought up to date, many writes at a time."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from vecferry.domain.lifecycle import Migration
from vecferry.domain.timing import Timings
from vecferry.errors import Retryable, VecferryError
from vecferry.ports import Clock, Embedders, Ledger, Purpose, VectorStore
from vecferry.protocol.fence import Fence
from vecferry.protocol.ownership import OwnedRows
from vecferry.protocol.reconcile import Reconciler
from vecferry.router.results import Progress

_TOGETHER = 64
"""Keys reconciled in one turn: one read, one embedding request, one write."""


@dataclass(frozen=True)
class Job:
    """Rows whose keys the shadow does not yet follow."""

    migration: Migration
    owned: OwnedRows
    progress: Progress


class ReconcileQueue:
    """Jobs of this process, in order. ``run_once`` takes those that go together; a full queue leaves rows to the janitor."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: VectorStore,
        embedders: Embedders,
        clock: Clock,
        timings: Timings,
        capacity: int = 5_000,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._embedders = embedders
        self._clock = clock
        self._timings = timings
        self._capacity = capacity
        self._jobs: deque[Job] = deque()
        self._ready = threading.Condition()
        self._busy = 0

    def put(self, job: Job) -> None:
        with self._ready:
            if len(self._jobs) < self._capacity:
                self._jobs.append(job)
                self._ready.notify()
                return
        job.progress.finish(Retryable("the queue of this router is full", next_action="The janitor will catch up."))

    def wait_for_work(self, timeout_s: float) -> bool:
        with self._ready:
            return self._ready.wait_for(lambda: bool(self._jobs), timeout_s)

    def wait_idle(self, timeout_s: float) -> bool:
        with self._ready:
            return self._ready.wait_for(lambda: not self._jobs and not self._busy, timeout_s)

    def run_once(self) -> int:
        """Reconciles one group of jobs; returns how many keys it closed."""
        jobs = self._take_together()
        if not jobs:
            return 0
        try:
            return self._reconcile(jobs)
        finally:
            with self._ready:
                self._busy -= 1
                self._ready.notify_all()

    def _take_together(self) -> list[Job]:
        with self._ready:
            jobs: list[Job] = []
            keys = 0
            while self._jobs and (not jobs or (self._alike(jobs[0], self._jobs[0]) and keys < _TOGETHER)):
                jobs.append(self._jobs.popleft())
                keys += len(jobs[-1].owned.rows)
            self._busy += bool(jobs)
            return jobs

    @staticmethod
    def _alike(first: Job, other: Job) -> bool:
        return (first.migration.id, first.owned.tenant) == (other.migration.id, other.owned.tenant)

    def _reconcile(self, jobs: list[Job]) -> int:
        migration = jobs[0].migration
        fence = Fence(self._clock, min(job.owned.fence.deadline for job in jobs))
        try:
            embedder = self._embedders.of(migration.spec.space, migration_id=migration.id)
            reconciler = Reconciler(migration.spec, self._store, embedder, self._clock, self._timings)
            keys = [key for job in jobs for key in job.owned.keys]
            done = reconciler.reconcile(keys, tenant=jobs[0].owned.tenant, fence=fence, purpose=Purpose.WRITE)
            rows = [row for job in jobs for row in job.owned.of(done.in_sync)]
            closed = self._ledger.close_rows(rows) if rows else 0  # rule 8: only while they are still ours
        except VecferryError as error:
            self._finish(jobs, set(), error)
            return 0
        self._finish(jobs, done.in_sync, done.error)
        return closed

    @staticmethod
    def _finish(jobs: list[Job], in_sync: set[str], error: VecferryError | None) -> None:
        for job in jobs:
            left = set(job.owned.keys) - in_sync
            job.progress.finish((error or Retryable("left to the janitor")) if left else None)
