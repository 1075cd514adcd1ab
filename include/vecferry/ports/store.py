"""The vector store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from vecferry.domain.catalogue import ModelCard
from vecferry.domain.objects import StoredObject, Vector
from vecferry.domain.pins import SearchProfile


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


@dataclass(frozen=True)
class Page:
    """``keys`` as a listing gave them, ascending; of one that was gone when it was read there is no object."""

    keys: list[str]
    objects: dict[str, StoredObject]


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

    def incarnations(self) -> dict[str, str]:
        """Node → another text after each of its restarts than before; those that do not answer are missing, and all of them
        where the server does not tell. Of several nodes, one that restarts twice while no schema changes and nobody is elected
        may be missed the second time."""

    # objects
    def count(self, collection: str, *, tenant: str | None = None) -> int: ...
    def keys(self, collection: str, *, after: str, until: str, limit: int, tenant: str | None = None) -> list[str]:
        """Up to ``limit`` UUIDs in ``(after, until]``, ascending; ``after=""`` includes the all-zero one. A cursor reads
        one replica: what it gives are keys only (rule 3). An empty list means that the range has no more."""

    def read(
        self, collection: str, uuids: Sequence[str], *, tenant: str | None = None, vectors: Collection[str] | None = None
    ) -> dict[str, StoredObject]:
        """Whole objects. An id missing in the answer is *positively* absent. At most 1,000 ids a call. ``vectors`` names those
        that are needed, ``None`` is all of them; an object may come with others too."""

    def page(
        self,
        collection: str,
        *,
        after: str,
        until: str,
        limit: int,
        tenant: str | None = None,
        vectors: Collection[str] | None = None,
    ) -> Page:
        """What ``keys`` lists, with each object as ``read`` gives it; ``limit`` is 1,000 at most. For whoever only compares:
        that a key is not listed proves no absence (rule 3). Who goes on does so behind the last key, and ends where there are
        none."""

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
