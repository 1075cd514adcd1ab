"""The janitor works off the rows that crashed or fenced owners left (rules 9 and 10)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from vecferry.domain.journal import JournalRow
from vecferry.domain.lifecycle import PROTOCOL_VERSION, Migration, understands
from vecferry.domain.routing import Mode
from vecferry.domain.timing import Timings
from vecferry.errors import LedgerRestored
from vecferry.ports import Clock, Embedders, Ledger, Purpose, VectorStore
from vecferry.protocol import restored
from vecferry.protocol.ownership import OwnedRows, claim_rows
from vecferry.protocol.reconcile import Reconciler

_PAGE = 500


@dataclass(frozen=True)
class JanitorRound:
    """One pass over the journal: rows seen, taken over, closed; ``failed`` says why keys were left, if any were."""

    watched: int = 0
    claimed: int = 0
    closed: int = 0
    failed: str = ""


class Janitor:
    """Watches one pin's journal. Not thread-safe: each thread has its own, and its own memory of what it has seen."""

    def __init__(
        self,
        pin: str,
        *,
        ledger: Ledger,
        store: VectorStore,
        embedders: Embedders,
        clock: Clock,
        timings: Timings,
        owner: str,
    ) -> None:
        self._pin = pin
        self._ledger = ledger
        self._store = store
        self._embedders = embedders
        self._clock = clock
        self._timings = timings
        self._owner = owner
        self._seen: dict[int, tuple[str, float]] = {}

    def run_once(self) -> JanitorRound:
        """Looks once at every row and works off those unchanged for ``takeover_s`` (T) on this janitor's own clock.

        Without the wait: it reconciles, reads the old live object, the crashed owner's write lands, and the row is gone.
        """
        snapshot = self._ledger.snapshot(self._pin)
        migration = snapshot.migration
        if migration is None or snapshot.routing.mode is Mode.LIVE_ONLY:
            self._seen.clear()
            return JanitorRound()
        if not understands(PROTOCOL_VERSION, migration):  # rule 18: its f would not be the migration's
            why = f"migration {migration.id} speaks protocol {migration.protocol_version}, this janitor {PROTOCOL_VERSION}"
            return JanitorRound(failed=f"{why}: upgrade vecferry")
        rows = self._all_rows(migration.id)
        stale = self._unchanged_for_long(rows)
        if not stale:
            return JanitorRound(watched=len(rows))
        try:
            restored.check(self._ledger, self._store, snapshot)
        except LedgerRestored as error:  # its rows are yesterday's; after a forgotten flip live is older than the shadow
            return JanitorRound(watched=len(rows), failed=str(error))
        return self._work_off(migration, self._with_their_keys(stale), watched=len(rows))

    def _all_rows(self, migration_id: str) -> list[JournalRow]:
        rows: list[JournalRow] = []
        while page := self._ledger.rows(migration_id, limit=_PAGE, after_id=rows[-1].id if rows else 0):
            rows += page
        return rows

    def _unchanged_for_long(self, rows: Sequence[JournalRow]) -> list[JournalRow]:
        now = self._clock.monotonic()
        before, self._seen = self._seen, {}
        for row in rows:
            token, since = before.get(row.id, (row.token, now))
            self._seen[row.id] = (row.token, since if token == row.token else now)
        return [row for row in rows if now - self._seen[row.id][1] >= self._timings.takeover_s]

    def _with_their_keys(self, stale: list[JournalRow]) -> list[list[JournalRow]]:
        """Rows of one key are worked off together, each deleted by its own id; pages are of one tenant."""
        by_tenant: dict[str | None, list[JournalRow]] = defaultdict(list)
        for row in sorted(stale, key=lambda r: (r.key, r.id)):
            by_tenant[row.tenant].append(row)
        return [rows[i : i + _PAGE] for rows in by_tenant.values() for i in range(0, len(rows), _PAGE)]

    def _work_off(self, migration: Migration, pages: list[list[JournalRow]], *, watched: int) -> JanitorRound:
        claimed = closed = 0
        failed = ""
        for page in pages:
            owned = claim_rows(self._ledger, self._clock, self._timings, page, owner=self._owner)
            if owned is None:
                continue
            claimed += len(owned.rows)
            now = self._clock.monotonic()
            self._seen |= {row.id: (row.token, now) for row in owned.rows}  # our own claim counts as a change, for us too
            count, why = self._reconcile(migration, owned)
            closed += count
            failed = failed or why
        return JanitorRound(watched, claimed, closed, failed)

    def _reconcile(self, migration: Migration, owned: OwnedRows) -> tuple[int, str]:
        embedder = self._embedders.of(migration.spec.space, migration_id=migration.id)
        reconciler = Reconciler(migration.spec, self._store, embedder, self._clock, self._timings)
        done = reconciler.reconcile(owned.keys, tenant=owned.tenant, fence=owned.fence, purpose=Purpose.WRITE)
        closed = self._ledger.close_rows(owned.of(done.in_sync)) if done.in_sync else 0
        return closed, str(done.error) if done.error else ""
