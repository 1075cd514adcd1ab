"""Rule 1: a journal row per operation, committed before the first write; the owner's time starts before the insert."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vecferry.domain.journal import JournalRow, RowKind
from vecferry.domain.timing import Timings
from vecferry.ports import Clock, JournalLedger
from vecferry.protocol.fence import Fence


@dataclass(frozen=True)
class OwnedRows:
    """Rows that this process holds, and until when it may act on them."""

    rows: tuple[JournalRow, ...]
    tenant: str | None
    fence: Fence

    @property
    def keys(self) -> list[str]:
        return list(dict.fromkeys(row.key for row in self.rows))

    def of(self, keys: frozenset[str] | set[str]) -> list[JournalRow]:
        return [row for row in self.rows if row.key in keys]


def open_rows(
    ledger: JournalLedger,
    clock: Clock,
    timings: Timings,
    migration_id: str,
    keys: Sequence[str],
    *,
    tenant: str | None,
    owner: str,
    kind: RowKind,
    also: Callable[[], bool] | None = None,
) -> OwnedRows:
    """Without a row: a crash with a write in flight, the ghost lands, and nobody knows that the shadow is behind.

    One row per *key* would be unsafe: one writer's delete would take another's cover. If the insert's outcome is unknown the
    ledger raises, and the caller must not write.
    """
    fence = Fence(clock, clock.monotonic() + timings.row_deadline_s, also=also)
    rows = ledger.open_rows(migration_id, keys, tenant=tenant, owner=owner, kind=kind)
    return OwnedRows(tuple(rows), tenant, fence)


def claim_rows(
    ledger: JournalLedger, clock: Clock, timings: Timings, rows: Sequence[JournalRow], *, owner: str
) -> OwnedRows | None:
    """Rule 10: take over by an update with a new token, so that a successor waits its whole time again.

    ``rows`` are of one tenant. ``None`` if somebody else was first with all of them.
    """
    fence = Fence(clock, clock.monotonic() + timings.row_deadline_s)
    claimed = ledger.claim_rows(rows, owner=owner)
    return OwnedRows(tuple(claimed), claimed[0].tenant, fence) if claimed else None
