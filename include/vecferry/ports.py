"""What the product needs from the world, as Protocols: small enough to fake by hand (adapters/memory has the fakes)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from vecferry.domain.capacity import CapacityAnswer, CapacityAsk
from vecferry.domain.catalogue import Catalogue, ModelCard
from vecferry.domain.chunks import Chunk
from vecferry.domain.gates import Gates
from vecferry.domain.in_line import InLine
from vecferry.domain.journal import JournalRow, RowKind
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.objects import StoredObject, Vector
from vecferry.domain.pins import Pin, SearchProfile
from vecferry.domain.routing import Lease, Mode, Routing, Seen, Snapshot
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.domain.telemetry import Observation
from vecferry.domain.timing import Timings
from vecferry.domain.verdicts import Verdict

# --- time -------------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Time, so that a test can own it."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never steps back."""

    def now(self) -> datetime:
        """Wall clock, UTC, aware."""

    def sleep(self, seconds: float) -> None: ...


# --- the vector store -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SearchHit:
    """``score``: higher is better, whatever the search; ``properties`` as the server's JSON has them."""

    uuid: str
    score: float
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SearchQuery:
    """One search against one collection by a profile. ``filters`` is a Weaviate ``where`` (client filter or REST dict)."""

    text: str
    vector: Vector
    profile: SearchProfile
    vector_name: str
    limit: int = 10
    filters: Any = None
    tenant: str | None = None


class VectorStore(Protocol):
    """One Weaviate. Reads of objects are by id at QUORUM and lossless; absence is a positive answer, never an error.

    Every call raises ``Retryable`` for what may pass (timeouts of *reads*, 503), ``BadInput`` for what never will.
    Writes never retry by themselves: a definite refusal raises ``NotWritten``, everything unclear ``UnknownOutcome``.
    ``timeout_s`` bounds one call on the wire.
    """

    # schema: raw JSON, as the server gives it
    def collections(self) -> list[str]: ...
    def schema(self, collection: str) -> dict[str, Any]:
        """Raises ``NotFound`` with the collections that exist. Asking by an alias is answered with its target."""

    def create(self, schema: Mapping[str, Any]) -> None:
        """Raises ``Conflict`` if the collection exists already."""

    def drop(self, collection: str) -> None:
        """Idempotent."""

    def set_description(self, collection: str, description: str) -> None: ...
    def tenants(self, collection: str) -> dict[str, str]:
        """Name → activity status; empty for a collection without multi-tenancy."""

    def add_tenants(self, collection: str, tenants: Mapping[str, str]) -> None: ...
    def set_tenants(self, collection: str, tenants: Mapping[str, str]) -> None:
        """The activity status of tenants that exist. To and from OFFLOADED the server takes its time: look until it is so."""

    def set_tenancy(self, collection: str, settings: Mapping[str, Any]) -> None:
        """Replaces ``multiTenancyConfig``, of which ``enabled`` cannot be changed."""

    def remove_tenants(self, collection: str, tenants: Sequence[str]) -> None:
        """With all that is in them. Idempotent."""

    def add_property(self, collection: str, definition: Mapping[str, Any]) -> None:
        """Raises ``BadInput`` where the server does not let a collection have it."""

    def modules(self) -> frozenset[str]:
        """The names of the modules that the server has enabled."""

    def set_vectorizer(self, collection: str, vector_name: str, settings: Mapping[str, Any]) -> None:
        """Changes these settings of the vector's server-side vectorizer, and leaves the others. Raises ``BadInput`` where the
        server does not let them be changed in place, or there is none."""

    def shards(self, collection: str) -> dict[str, str]:
        """Shard → status (READY, READONLY, INDEXING), as the server reports it now; tenants are shards."""

    def set_read_only(self, collection: str, read_only: bool) -> None: ...
    def auto_schema(self, like: str) -> bool:
        """Whether a write to a missing collection creates it, and so brings a dropped one back. The server does not tell:
        it is found out by a write that creates nothing, to a name that begins with ``like``."""

    def aliases(self) -> dict[str, str]:
        """Alias → collection."""

    def set_alias(self, alias: str, collection: str) -> None: ...
    def alive(self) -> bool:
        """Whether the server answers as healthy right now; never raises."""

    def incarnation(self) -> str:
        """Another text after each restart of a server than before it; empty where the server does not tell. Of several
        servers, one that restarts twice while no schema changes and nobody is elected may be missed the second time."""

    # objects
    def count(self, collection: str, *, tenant: str | None = None) -> int: ...
    def keys(self, collection: str, *, after: str, until: str, limit: int, tenant: str | None = None) -> list[str]:
        """Up to ``limit`` UUIDs in ``(after, until]``, ascending; ``after=""`` includes the all-zero one. A cursor reads
        one replica: what it gives are keys only (rule 3). An empty list means that the range has no more."""

    def read(self, collection: str, uuids: Sequence[str], *, tenant: str | None = None) -> dict[str, StoredObject]:
        """Whole objects with all vectors. An id missing in the answer is *positively* absent. At most 1,000 ids a call."""

    def put(self, collection: str, obj: StoredObject, *, timeout_s: float) -> None:
        """Replaces or creates one object, all vectors included. Returns once the server has acknowledged it."""

    def let_vectorize(self, collection: str, obj: StoredObject, *, key_of: ModelCard | None = None, timeout_s: float) -> None:
        """Creates one object so that the server's own vectorizer gives it its vector. ``key_of``: with the key that vecferry
        has for this model, which otherwise goes to nobody but the provider."""

    def merge(self, collection: str, obj: StoredObject, *, timeout_s: float) -> bool:
        """Merges properties (and the given vectors) into an object; ``False`` if it does not exist."""

    def delete(self, collection: str, uuid: str, *, tenant: str | None = None, timeout_s: float) -> None:
        """Deletes one object; deleting an absent one succeeds."""

    def put_batch(
        self, collection: str, objects: Sequence[StoredObject], *, timeout_s: float, unchecked_references: bool = False
    ) -> dict[str, str]:
        """Writes many; returns uuid → error for those refused. An answer is no confirmation (rule 2a): read back.

        ``unchecked_references``: a reference whose target is gone is written as it stands, as a copy's must be; otherwise
        the server refuses the object.
        """

    def delete_batch(self, collection: str, uuids: Sequence[str], *, tenant: str | None = None, timeout_s: float) -> None: ...
    def indexed(
        self, collection: str, vectors: Mapping[str, Vector], *, vector_name: str, tenant: str | None = None
    ) -> set[str]:
        """Which of these objects the vector index can find (rule 12a): a near-vector search filtered to their ids, limit
        = their number. ``vectors`` maps uuid → its stored vector; any one of them is the query."""

    def index_queue(self, collection: str) -> int:
        """Objects that wait for asynchronous indexing; 0 when indexing is synchronous."""

    def search(self, collection: str, query: SearchQuery, *, timeout_s: float) -> list[SearchHit]: ...
    def stamp_counts(self, collection: str, stamp: str, *, tenant: str | None = None) -> dict[str, int]:
        """Value → objects, for a filterable text property; objects without it are in no group."""

    def native(self, collection: str, *, tenant: str | None = None) -> Any:
        """The vendor client's own collection handle, for applications' own queries (``router.arm``)."""

    def close(self) -> None: ...


# --- embedding --------------------------------------------------------------------------------------------------------


class Purpose(StrEnum):
    """Who asks, in order of priority at the limiter."""

    QUERY = "query"
    WRITE = "write"
    BACKFILL = "backfill"
    JUDGE = "judge"


@dataclass(frozen=True)
class Refused:
    """The provider refuses this one text for good (``reason`` is its own words)."""

    reason: str


@dataclass(frozen=True)
class Embedded:
    """Answers in the order of the texts; ``tokens`` as the provider billed them."""

    vectors: tuple[tuple[float, ...] | Refused, ...]
    tokens: int


class Embedder(Protocol):
    """One model of one provider. Every answer is checked: count, dimensions, finite, norm. SDK retries are off.

    Raises ``Retryable`` (with ``retry_after_s`` where said), ``Paused`` on quota or budget, ``BadInput`` for a wrong key
    or model. Splits what exceeds the model's inputs or tokens per request.
    """

    @property
    def card(self) -> ModelCard: ...
    def count_tokens(self, text: str) -> tuple[int, str]:
        """Tokens, and how they were counted: ``tiktoken``, or ``characters/4`` for an estimate."""

    def fits(self, text: str) -> bool:
        """Whether the text is within the model's ``max_tokens``."""

    def truncate(self, text: str) -> str:
        """The text, cut to ``max_tokens``; unchanged if it fits."""

    def embed_documents(self, texts: Sequence[str], *, purpose: Purpose, timeout_s: float) -> Embedded: ...
    def embed_query(self, text: str, *, timeout_s: float) -> tuple[float, ...]: ...
    def check(self) -> None:
        """One cheap call that proves key, model and dimensions; raises as the embedding calls do."""


class Embedders(Protocol):
    """Embedders by space; one per space and process, so that they share their limiter."""

    def of(
        self, space: EmbeddingSpace, *, pin: Pin | None = None, migration_id: str | None = None, witnessed: bool = True
    ) -> Embedder:
        """``migration_id`` names who pays (budget and spend rows); without it the spend is the pin's own.

        ``witnessed``: each request for documents carries a text of the fingerprint (the pin's, if it is of this space, else
        the migration's) and raises ``ModelChanged`` where the model answers otherwise. Without a fingerprint: nothing more is
        sent. Only who takes fingerprints turns it off.
        """


@dataclass(frozen=True)
class ListedModel:
    """A model as its provider lists it; ``None`` where the list does not say."""

    provider: str
    model: str
    deprecated: bool | None = None
    shutdown_on: str | None = None


class ModelLists(Protocol):
    """The providers' own model lists (OpenAI ``shutdown_date``, Cohere ``is_deprecated``)."""

    def listed(self, card: ModelCard) -> ListedModel | None:
        """``None`` if the provider no longer lists it. Raises ``Retryable`` when the list cannot be had."""


class NoticeFeed(Protocol):
    """A notices file or URL in the deprecations.info form; raises ``Retryable`` or ``BadInput`` naming the row."""

    def rows(self) -> list[Mapping[str, Any]]: ...


# --- the ledger -------------------------------------------------------------------------------------------------------


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


# --- all of them ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ports:
    """The outside world as one process sees it; made in ``bootstrap`` only. Steps take what they need from it."""

    ledger: Ledger
    store: VectorStore
    embedders: Embedders
    model_lists: ModelLists
    notice_feed: NoticeFeed
    catalogue: Catalogue
    clock: Clock
    timings: Timings
    gates: Gates
    executor: Callable[[int], Executor] = InLine
    """Makes what runs up to that many calls at once: threads in production, nothing at once where every turn is listed."""
