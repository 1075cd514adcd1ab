"""The janitor works off the rows that crashed or fenced owners left (rules 9 and 10)."""

from __future__ import annotations

from collections import defaultdict
from contextlib import AbstractContextManager, nullcontext
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
from vecferry.protocol.waking import waking
from vecferry.protocol.watch import PAGE, Watch

_FEWEST_KEYS = 8


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
        self._watch = Watch(ledger, clock, takeover_s=timings.takeover_s)
        self._most_keys = PAGE

    @property
    def _seen(self) -> dict[int, tuple[str, float]]:
        return self._watch.seen

    def run_once(self) -> JanitorRound:
        """Looks once at the rows and works off those unchanged for ``takeover_s`` (T) on this janitor's own clock.

        Without the wait: it reconciles, reads the old live object, the crashed owner's write lands, and the row is gone.
        """
        snapshot = self._ledger.snapshot(self._pin)
        migration = snapshot.migration
        if migration is None or snapshot.routing.mode is Mode.LIVE_ONLY:
            self._watch.forget()
            return JanitorRound()
        if not understands(PROTOCOL_VERSION, migration):  # rule 18: its f would not be the migration's
            why = f"migration {migration.id} speaks protocol {migration.protocol_version}, this janitor {PROTOCOL_VERSION}"
            return JanitorRound(failed=f"{why}: upgrade vecferry")
        stale = self._watch.stale(migration.id) if self._watch.due else []
        watched = len(self._seen)
        if not stale:
            return JanitorRound(watched=watched)
        try:
            restored.check(self._ledger, self._store, snapshot)
        except LedgerRestored as error:  # its rows are yesterday's; after a forgotten flip live is older than the shadow
            return JanitorRound(watched=watched, failed=str(error))
        return self._work_off(migration, self._with_their_keys(stale), watched=watched)

    def _with_their_keys(self, stale: list[JournalRow]) -> list[list[JournalRow]]:
        """Rows of one key are worked off together, each deleted by its own id; pages are of one tenant, and of keys that one
        owner can reconcile within its deadline."""
        by_tenant: dict[str | None, dict[str, list[JournalRow]]] = defaultdict(lambda: defaultdict(list))
        for row in sorted(stale, key=lambda r: (r.key, r.id)):
            by_tenant[row.tenant][row.key].append(row)
        most = self._most_keys
        return [
            [row for rows in keys[place : place + most] for row in rows]
            for keys in (list(of_tenant.values()) for of_tenant in by_tenant.values())
            for place in range(0, len(keys), most)
        ]

    def _work_off(self, migration: Migration, pages: list[list[JournalRow]], *, watched: int) -> JanitorRound:
        claimed = closed = 0
        failed = ""
        for page in pages:
            owned = claim_rows(self._ledger, self._clock, self._timings, page, owner=self._owner)
            if owned is None:
                continue
            claimed += len(owned.rows)
            self._watch.changed(owned.rows)
            count, why = self._reconcile(migration, owned)
            closed += count
            failed = failed or why
            if why and not count:  # a provider or store that is away is away for the next page too; let its rows be
                break
        return JanitorRound(watched, claimed, closed, failed)

    def _reconcile(self, migration: Migration, owned: OwnedRows) -> tuple[int, str]:
        embedder = self._embedders.of(migration.spec.space, migration_id=migration.id)
        with self._awake(migration, owned) as store:
            reconciler = Reconciler(migration.spec, store, embedder, self._clock, self._timings)
            done = reconciler.reconcile(
                owned.keys, tenant=owned.tenant, fence=owned.fence, purpose=Purpose.WRITE, unconfirmed=True
            )
            closed = self._ledger.close_rows(owned.of(done.in_sync)) if done.in_sync else 0
        # A page too large for its deadline would be too large each time.
        self._most_keys = max(_FEWEST_KEYS, self._most_keys // 4) if done.error else min(PAGE, self._most_keys * 2)
        return closed, str(done.error) if done.error else ""

    def _awake(self, migration: Migration, owned: OwnedRows) -> AbstractContextManager[VectorStore]:
        """An application may have put a tenant to sleep over its last writes: nobody else would ever clear their rows."""
        if owned.tenant is None:
            return nullcontext(self._store)
        return waking(self._store, self._ledger, self._clock, migration)
