"""The ledger: what is decided, under way, counted and spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from vecferry.domain.capacity import CapacityAnswer, CapacityAsk
from vecferry.domain.chunks import Chunk
from vecferry.domain.journal import JournalRow, RowKind
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.routing import Lease, Mode, Routing, Seen, Snapshot
from vecferry.domain.telemetry import Observation
from vecferry.domain.verdicts import Verdict
from vecferry.ports.providers import Purpose


@dataclass(frozen=True)
class Event:
    """Append-only: who did what, when, to what, and why."""

    at: datetime
    who: str
    what: str
    why: str
    pin: str = ""
    migration_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """``what`` for people: a move says where to, a routing version what it does."""
        detail = self.detail
        share = f" {detail['percent']}%" if detail.get("percent") else ""
        if self.what == "move":
            return f"{detail.get('from')} → {detail.get('to')}{share if detail.get('to') == 'serving' else ''}"
        if self.what == "publish":
            return f"routing {detail['version']}: {detail['mode']}{share}"
        return self.what.replace("_", " ")


@dataclass(frozen=True)
class Spend:
    """What a migration (or, without one, a pin) has cost so far. Reserved counts as spent until settled."""

    tokens: int = 0
    cost_usd: float = 0.0
    requests: int = 0
    unsettled: int = 0


class PinLedger(Protocol):
    def pin(self, name: str) -> Pin:
        """Raises ``NotFound`` with the pins that exist."""

    def pins(self) -> list[Pin]: ...
    def save_pin(self, pin: Pin, *, who: str, why: str) -> None:
        """Creates or replaces; a new pin gets routing version 1 (live only). Refuses a changed collection or space while a
        migration is active (``Conflict``)."""


class MigrationLedger(Protocol):
    def start_migration(self, migration: Migration, *, who: str, why: str) -> Migration:
        """Raises ``Conflict`` naming the active migration of the pin if there is one (a constraint holds it)."""

    def migration(self, migration_id: str) -> Migration: ...
    def active_migration(self, pin: str) -> Migration | None: ...
    def migrations(self, pin: str | None = None) -> list[Migration]:
        """Newest first."""

    def move(
        self,
        migration: Migration,
        to: Phase,
        *,
        who: str,
        why: str,
        routing: tuple[Mode, int] | None = None,
    ) -> Migration:
        """Compare-and-set on phase and version, along MOVES only, with its event. ``routing`` = (mode, percent) publishes the
        next routing version in the same transaction. Moving to an ENDED phase ends the migration (the pin is free).
        Raises ``Conflict`` if somebody moved it first."""

    def publish(self, migration: Migration, mode: Mode, percent: int, *, who: str, why: str) -> Routing:
        """The next routing version without a phase move (freeze). Compare-and-set on the migration's version, which is
        left as it is."""

    def set_paused(self, migration_id: str, reason: str | None, *, who: str) -> None: ...
    def set_live_model_gone(self, migration_id: str, gone: bool, *, who: str, why: str) -> None:
        """With its event; nothing if it is so already. While it is, no move rolls back (``NeedsPerson``). Raises ``Conflict``
        once the migration has ended."""

    def set_budget(self, migration_id: str, usd: float | None, *, who: str, why: str) -> None:
        """What the migration may cost in sum, in US dollars; ``None``: no limit. With its event; nothing if it is so already.
        Raises ``Conflict`` once the migration has ended."""

    def save_plan(self, migration_id: str, plan: Mapping[str, Any]) -> None: ...

    # retire (protocol.md, the freeze)
    def undo_freeze(self, pin: str, version: int, *, who: str, why: str) -> bool:
        """Back to DUAL at the same percent ``WHERE version = version and mode = freeze``; ``False`` if somebody was first."""

    def flip(self, migration: Migration, version: int, new_pin: Pin, *, quarantine_s: float, who: str) -> None:
        """In one transaction, WHERE routing version = ``version`` and mode is FREEZE: asserts again that every lease has
        acknowledged it (or expired at least ``quarantine_s`` ago), no chunk is open and the journal is empty; then pin →
        ``new_pin``, authority → shadow, mode LIVE_ONLY, phase RETIRED. Raises ``Conflict`` saying which assertion failed."""


class JournalLedger(Protocol):
    def open_rows(
        self, migration_id: str, keys: Sequence[str], *, tenant: str | None, owner: str, kind: RowKind
    ) -> list[JournalRow]:
        """One row a key, committed on return, in one statement; locks the pin's routing row. Raises ``Conflict`` when the
        migration no longer copies (mode LIVE_ONLY, or FREEZE for any kind but WRITE), ``UnknownOutcome`` if the commit's
        fate is unknown."""

    def close_rows(self, rows: Sequence[JournalRow]) -> int:
        """Deletes each by id, owner *and* token (rule 8); returns how many were still ours."""

    def claim_rows(self, rows: Sequence[JournalRow], *, owner: str) -> list[JournalRow]:
        """Takes over the rows that still carry the given tokens: new owner, new token, all in one statement (rule 10)."""

    def rows(self, migration_id: str, *, limit: int, after_id: int = 0) -> list[JournalRow]:
        """By id, ascending."""

    def journal_counts(self, migration_id: str) -> Mapping[RowKind, int]: ...
    def oldest_row_age_s(self, migration_id: str) -> float:
        """0.0 for an empty journal."""

    def covered(self, migration_id: str, keys: Sequence[str], *, tenant: str | None) -> set[str]:
        """Those of the keys that have a row right now."""


class RoutingLedger(Protocol):
    def snapshot(self, pin: str, *, router_id: str | None = None, since: Seen | None = None) -> Snapshot:
        """Raises ``LedgerRestored`` if ``since`` is not in the pin's history, ``Conflict`` if ``router_id`` has no lease any
        more or was dismissed (register anew)."""

    def register(self, lease: Lease) -> Snapshot:
        """Inserts the lease and reads the version in one transaction (rule 14). ``expires_at`` is set by the ledger's clock.
        Raises ``BadInput`` where the active migration's protocol is too far from the lease's (rule 18)."""

    def renew(self, router_id: str, *, pin: str, acknowledged_version: int, lease_s: float) -> Snapshot:
        """Raises ``Conflict`` if the lease is gone or was dismissed (register anew), ``BadInput`` as ``register`` does."""

    def dismiss(self, router_id: str, *, pin: str, who: str, why: str) -> Lease:
        """A person's word that the process is dead: its lease ends now, with an event. Idempotent. Raises ``NotFound`` with
        the routers that there are."""

    def now(self) -> datetime:
        """The ledger's own clock: the one for all ages of what it has stored."""

    def deregister(self, router_id: str, *, pin: str) -> None: ...
    def leases(self, pin: str) -> tuple[list[Lease], datetime]:
        """All leases not expired for more than a day, and the ledger's clock now."""

    def observe(self, observations: Sequence[Observation], *, router_id: str) -> None:
        """Adds to the counts of (pin, version, arm)."""

    def observations(self, pin: str) -> list[Observation]:
        """Summed over routers, by version and arm."""

    def routings(self, pin: str) -> list[Routing]:
        """Every version there was, ascending."""


class ChunkLedger(Protocol):
    def plan_chunks(self, migration_id: str, chunks: Sequence[Chunk]) -> list[Chunk]:
        """Adds those whose range is not there yet; returns all, in order of tenant and range."""

    def chunks(self, migration_id: str) -> list[Chunk]: ...
    def claim_chunk(self, chunk: Chunk, *, owner: str) -> Chunk:
        """Takes the chunk over, at once, whoever held it (rule 11 makes that safe): new owner and token, the stored cursor."""

    def checkpoint(self, chunk: Chunk) -> None:
        """Stores cursor, counts and state ``WHERE token = chunk.token``; raises ``Conflict`` if the claim was lost."""

    def reopen_chunks(self, migration_id: str) -> None:
        """All OPEN from their start again (a new backfill pass)."""


class RecordLedger(Protocol):
    """Verdicts, events, spend, notices."""

    def record_verdict(self, migration_id: str, verdict: Verdict) -> None: ...
    def verdicts(self, migration_id: str) -> list[tuple[datetime, Verdict]]:
        """All, oldest first; the newest of a stage counts."""

    def record_event(self, event: Event) -> None:
        """``at`` becomes the ledger's own clock, whatever the event says: machines disagree about the time."""

    def events(
        self, *, pin: str | None = None, migration_id: str | None = None, what: str | None = None, limit: int = 1000
    ) -> list[Event]:
        """Oldest first (the last ``limit`` of them). Who looks for one kind names it: there may be thousands of another."""

    def reserve(
        self,
        *,
        pin: str,
        migration_id: str | None,
        purpose: Purpose,
        tokens: int,
        cost_usd: float,
        budget_usd: float | None,
    ) -> int:
        """Books the spend before the request is sent; raises ``Paused`` if it would pass ``budget_usd`` in sum."""

    def settle(self, reservation: int, *, tokens: int, cost_usd: float) -> None:
        """Replaces the estimate by what was billed. Never called for an unknown outcome: that counts as spent."""

    def spend(self, *, pin: str | None = None, migration_id: str | None = None) -> Spend: ...
    def save_golden(self, pin: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replaces the pin's golden set; JSON rows of the golden file's form (design §8), keyed by ``query_id``."""

    def golden(self, pin: str) -> list[Mapping[str, Any]]:
        """In the order in which they were saved; empty if none were."""

    def save_measurements(self, migration_id: str, stage: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replaces what a stage measured (per query, per object); its check reads it back from here."""

    def measurements(self, migration_id: str, stage: str) -> list[Mapping[str, Any]]: ...
    def save_notices(self, notices: Sequence[Mapping[str, Any]]) -> None:
        """Upserts by ``id``; JSON rows of ``domain.notices.Notice``."""

    def notices(self) -> list[Mapping[str, Any]]: ...


class CapacityLedger(Protocol):
    def take_capacity(self, ask: CapacityAsk) -> CapacityAnswer:
        """A slice of what a provider's limits leave, by ``domain.capacity.decide`` in one transaction. A commit of unknown
        outcome may have booked it: it is given back by time."""


class Ledger(PinLedger, MigrationLedger, JournalLedger, RoutingLedger, ChunkLedger, RecordLedger, CapacityLedger, Protocol):
    """The product's own database; the same contract tests hold on memory, SQLite and PostgreSQL.

    Raises ``Retryable`` when a *read* or a definite no-op fails in passing, ``UnknownOutcome`` when a commit's fate is
    unknown, ``Conflict`` when a compare-and-set is lost.
    """

    def close(self) -> None: ...
