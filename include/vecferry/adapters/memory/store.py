"""``MemoryStore``: a Weaviate in this process, true to the real one where the protocol depends on it."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from vecferry.adapters.memory import ranking
from vecferry.adapters.memory.collection import READ_ONLY, READY, MemoryCollection, ServerModel
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.object_ids import canonical_uuid
from vecferry.domain.objects import StoredObject, Vector
from vecferry.domain.server_text import SUPPORTED
from vecferry.errors import BadInput, Conflict, NotFound, NotWritten, VecferryError
from vecferry.ports import Page, SearchHit, SearchQuery

MOST_IDS = 1_000
T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One call, as the hooks see it. ``name`` is the port's method, ``objects`` what a write sends.

    ``effect`` is what the call does, without hooks: a hook that keeps it, raises ``UnknownOutcome`` and runs it later
    has made a ghost.
    """

    name: str
    collection: str
    uuids: tuple[str, ...]
    tenant: str | None
    objects: tuple[StoredObject, ...]
    effect: Callable[[], Any]


Hook = Callable[[str, str, Call], None]


def _pass(name: str, collection: str, call: Call) -> None:
    return None


def _with(obj: StoredObject, vectors: Collection[str] | None) -> StoredObject:
    """Without what nobody asked for, so that who does use it is found out."""
    wanted = obj.vectors if vectors is None else {name: v for name, v in obj.vectors.items() if name in vectors}
    return replace(obj, vectors=wanted)


@dataclass(frozen=True)
class NativeHandle:
    """What ``native`` gives: there is no vendor client behind this store."""

    store: MemoryStore
    collection: str
    tenant: str | None


class MemoryStore:
    """Thread-safe. ``before(name, collection, call)`` runs before a call's effect, ``after`` between effect and answer;
    both may block, raise, or run other calls: no lock is held meanwhile. ``creates_missing`` is the server's auto-schema:
    a write brings a missing collection into being, a dropped one too. ``server_model`` is what a server-side vectorizer asks:
    it gives the vector of (model, text); without one nothing is vectorized.
    """

    def __init__(
        self,
        *,
        before: Hook = _pass,
        after: Hook = _pass,
        creates_missing: bool = False,
        server_model: ServerModel | None = None,
    ) -> None:
        self.before = before
        self.after = after
        self.creates_missing = creates_missing
        self.server_model = server_model
        self.enabled_modules = frozenset(SUPPORTED)
        self._restarts = 0
        self._lock = threading.RLock()
        self._collections: dict[str, MemoryCollection] = {}
        self._aliases: dict[str, str] = {}

    # --- schema

    def collections(self) -> list[str]:
        return self._call("collections", "", lambda: sorted(self._collections))

    def schema(self, collection: str) -> dict[str, Any]:
        return self._call("schema", collection, lambda: copy.deepcopy(self._of(collection).schema))

    def create(self, schema: Mapping[str, Any]) -> None:
        self._call("create", schema["class"], lambda: self._create(schema))

    def drop(self, collection: str) -> None:
        # By an alias the server answers 200 and drops nothing.
        self._call("drop", collection, lambda: self._collections.pop(collection, None))

    def set_description(self, collection: str, description: str) -> None:
        def effect() -> None:
            self._of(collection).schema["description"] = description

        self._call("set_description", collection, effect)

    def tenants(self, collection: str) -> dict[str, str]:
        return self._call("tenants", collection, lambda: dict(self._of(collection).tenants))

    def add_tenants(self, collection: str, tenants: Mapping[str, str]) -> None:
        self._call("add_tenants", collection, lambda: self._of(collection).add_tenants(tenants))

    def set_tenants(self, collection: str, tenants: Mapping[str, str]) -> None:
        self._call("set_tenants", collection, lambda: self._of(collection).set_tenants(tenants))

    def set_tenancy(self, collection: str, settings: Mapping[str, Any]) -> None:
        def effect() -> None:
            self._of(collection).schema["multiTenancyConfig"] = dict(settings)

        self._call("set_tenancy", collection, effect)

    def remove_tenants(self, collection: str, tenants: Sequence[str]) -> None:
        self._call("remove_tenants", collection, lambda: self._of(collection).remove_tenants(tenants))

    def add_property(self, collection: str, definition: Mapping[str, Any]) -> None:
        self._call("add_property", collection, lambda: self._of(collection).add_property(definition))

    def modules(self) -> frozenset[str]:
        return self._call("modules", "", lambda: self.enabled_modules)

    def set_vectorizer(self, collection: str, vector_name: str, settings: Mapping[str, Any]) -> None:
        self._call("set_vectorizer", collection, lambda: self._of(collection).set_vectorizer(vector_name, settings))

    def shards(self, collection: str) -> dict[str, str]:
        return self._call("shards", collection, lambda: {n: s.status for n, s in self._of(collection).shards.items()})

    def set_read_only(self, collection: str, read_only: bool) -> None:
        def effect() -> None:
            for shard in self._of(collection).shards.values():
                shard.status = READ_ONLY if read_only else READY

        self._call("set_read_only", collection, effect)

    def auto_schema(self, like: str) -> bool:
        return self._call("auto_schema", like, lambda: self.creates_missing)

    def aliases(self) -> dict[str, str]:
        return self._call("aliases", "", lambda: dict(self._aliases))

    def set_alias(self, alias: str, collection: str) -> None:
        self._call("set_alias", collection, lambda: self._set_alias(alias, collection))

    def alive(self) -> bool:
        try:
            return self._call("alive", "", lambda: True)
        except VecferryError:
            return False

    def incarnations(self) -> dict[str, str]:
        return self._call("incarnations", "", lambda: {"memory": str(self._restarts)})

    def restart(self) -> None:
        """What is stored stays. What its index forgets is told apart: ``unindex``."""
        self._restarts += 1

    # --- objects: reading

    def count(self, collection: str, *, tenant: str | None = None) -> int:
        return self._call("count", collection, lambda: len(self._of(collection).shard(tenant).objects), tenant=tenant)

    def keys(self, collection: str, *, after: str, until: str, limit: int, tenant: str | None = None) -> list[str]:
        return self._call("keys", collection, lambda: self._listed(collection, after, until, limit, tenant), tenant=tenant)

    def read(
        self, collection: str, uuids: Sequence[str], *, tenant: str | None = None, vectors: Collection[str] | None = None
    ) -> dict[str, StoredObject]:
        if len(uuids) > MOST_IDS:
            raise BadInput(f"{len(uuids)} ids in one read", where=collection, next_action=f"Ask for {MOST_IDS} at most.")

        def effect() -> dict[str, StoredObject]:
            objects = self._of(collection).shard(tenant).objects
            return {u: copy.deepcopy(_with(objects[u], vectors)) for u in map(canonical_uuid, uuids) if u in objects}

        return self._call("read", collection, effect, uuids=uuids, tenant=tenant)

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
        def effect() -> Page:
            objects = self._of(collection).shard(tenant).objects
            listed = self._listed(collection, after, until, limit, tenant)
            return Page(listed, {key: copy.deepcopy(_with(objects[key], vectors)) for key in listed})

        return self._call("page", collection, effect, tenant=tenant)

    def indexed(
        self, collection: str, vectors: Mapping[str, Vector], *, vector_name: str, tenant: str | None = None
    ) -> set[str]:
        def effect() -> set[str]:
            found = {obj.uuid for obj in self._of(collection).searchable(vector_name, tenant)}
            return found & {canonical_uuid(uuid) for uuid in vectors}

        return self._call("indexed", collection, effect, uuids=tuple(vectors), tenant=tenant)

    def index_queue(self, collection: str) -> int:
        def effect() -> int:
            self._of(collection)
            return 0

        return self._call("index_queue", collection, effect)

    def search(self, collection: str, query: SearchQuery, *, timeout_s: float) -> list[SearchHit]:
        return self._call("search", collection, lambda: self._search(collection, query), tenant=query.tenant)

    def stamp_counts(self, collection: str, stamp: str, *, tenant: str | None = None) -> dict[str, int]:
        def effect() -> dict[str, int]:
            values = (obj.stamp(stamp) for obj in self._of(collection).shard(tenant).objects.values())
            return dict(Counter(value for value in values if value is not None))

        return self._call("stamp_counts", collection, effect, tenant=tenant)

    def native(self, collection: str, *, tenant: str | None = None) -> NativeHandle:
        return NativeHandle(self, collection, tenant)

    # --- objects: writing

    def put(self, collection: str, obj: StoredObject, *, timeout_s: float) -> None:
        self._write("put", collection, [obj], lambda: self._store(collection, obj))

    def let_vectorize(self, collection: str, obj: StoredObject, *, key_of: ModelCard | None = None, timeout_s: float) -> None:
        self._write("let_vectorize", collection, [obj], lambda: self._store(collection, replace(obj, vectors={})))

    def merge(self, collection: str, obj: StoredObject, *, timeout_s: float) -> bool:
        return self._write("merge", collection, [obj], lambda: self._merge(collection, obj))

    def delete(self, collection: str, uuid: str, *, tenant: str | None = None, timeout_s: float) -> None:
        self._call("delete", collection, lambda: self._remove(collection, [uuid], tenant), uuids=[uuid], tenant=tenant)

    def put_batch(
        self,
        collection: str,
        objects: Sequence[StoredObject],
        *,
        timeout_s: float,
        unchecked_references: bool = False,
    ) -> dict[str, str]:
        if len({canonical_uuid(obj.uuid) for obj in objects}) < len(objects):
            raise BadInput("an id is twice in one batch", where=collection, next_action="Give each object once.")
        return self._write("put_batch", collection, objects, lambda: self._store_all(collection, objects, unchecked_references))

    def delete_batch(self, collection: str, uuids: Sequence[str], *, tenant: str | None = None, timeout_s: float) -> None:
        self._call("delete_batch", collection, lambda: self._remove(collection, uuids, tenant), uuids=uuids, tenant=tenant)

    def close(self) -> None:
        return None

    # --- what a killed server leaves behind

    def unindex(self, collection: str, uuid: str, *, tenant: str | None = None) -> None:
        """Stored, and found by no vector search, until it is deleted and put again (protocol rule 12a)."""
        with self._lock:
            self._of(collection).shard(tenant).unindexed.add(canonical_uuid(uuid))

    # --- effects, under the lock

    def _call(
        self,
        name: str,
        collection: str,
        effect: Callable[[], T],
        *,
        uuids: Sequence[str] = (),
        tenant: str | None = None,
        objects: Sequence[StoredObject] = (),
    ) -> T:
        def locked() -> T:
            with self._lock:
                return effect()

        call = Call(name, collection, tuple(uuids), tenant, tuple(objects), locked)
        self.before(name, collection, call)
        answer = locked()
        self.after(name, collection, call)
        return answer

    def _write(self, name: str, collection: str, objects: Sequence[StoredObject], effect: Callable[[], T]) -> T:
        tenant = objects[0].tenant if objects else None
        return self._call(name, collection, effect, uuids=[o.uuid for o in objects], tenant=tenant, objects=objects)

    def _of(self, name: str) -> MemoryCollection:
        found = self._collections.get(self._aliases.get(name, name))
        if found is None:
            exist = ", ".join(sorted(self._collections)) or "none"
            raise NotFound("no such collection", where=name, next_action=f"Collections that exist: {exist}.")
        return found

    def _create(self, schema: Mapping[str, Any]) -> None:
        name = schema["class"]
        if name in self._collections or name in self._aliases:
            raise Conflict("the collection exists already", where=name, next_action="Choose another name.")
        self._collections[name] = MemoryCollection(schema)

    def _set_alias(self, alias: str, collection: str) -> None:
        if alias in self._collections:
            raise Conflict("a collection has this name", where=alias, next_action="Choose another alias.")
        self._aliases[alias] = self._of(collection).name

    def _listed(self, collection: str, after: str, until: str, limit: int, tenant: str | None) -> list[str]:
        objects = self._of(collection).shard(tenant).objects
        return sorted(key for key in objects if after.lower() < key <= until.lower())[:limit]

    def _store(self, collection: str, obj: StoredObject) -> None:
        self._create_missing(collection, [obj])
        target = self._writable(collection, obj.tenant)
        if reason := target.why_refused(obj) or self._dangling(target, obj):
            raise BadInput(reason, where=f"{collection}/{obj.uuid}", next_action="Correct the object.")
        target.store(target.vectorized(obj, self.server_model))

    def _store_all(
        self, collection: str, objects: Sequence[StoredObject], unchecked_references: bool = False
    ) -> dict[str, str]:
        self._create_missing(collection, objects)
        target, refused = self._of(collection), {}
        for position, obj in enumerate(objects):
            if reason := target.why_refused(obj) or ("" if unchecked_references else self._dangling(target, obj)):
                refused[obj.uuid] = reason
            elif target.shard(obj.tenant).status == READ_ONLY:
                # The server's lie: the first object is refused, the others are reported stored, none is.
                if position == 0:
                    refused[obj.uuid] = "store is read-only"
            else:
                target.store(target.vectorized(obj, self.server_model))
        return refused

    def _dangling(self, target: MemoryCollection, obj: StoredObject) -> str:
        """Why the server would refuse it: a reference to an object that is not there."""
        for name, collection, uuid in target.beacons(obj):
            shards = self._collections[collection].shards if collection in self._collections else {}
            if not any(canonical_uuid(uuid) in shard.objects for shard in shards.values()):
                return f"invalid cref: 'cref' {target.name}:{name}: no object with id {uuid} found"
        return ""

    def _create_missing(self, collection: str, objects: Sequence[StoredObject]) -> None:
        """Also through an alias that points nowhere."""
        name = self._aliases.get(collection, collection)
        if self.creates_missing and name not in self._collections:
            properties = sorted({prop for obj in objects for prop in obj.properties})
            self._create({"class": name, "properties": [{"name": prop, "dataType": ["text"]} for prop in properties]})

    def _merge(self, collection: str, obj: StoredObject) -> bool:
        before = self._of(collection).shard(obj.tenant).objects.get(canonical_uuid(obj.uuid))
        if before is None:
            return False
        merged = replace(before, properties={**before.properties, **obj.properties}, vectors={**before.vectors, **obj.vectors})
        self._store(collection, merged)
        return True

    def _remove(self, collection: str, uuids: Sequence[str], tenant: str | None) -> None:
        self._writable(collection, tenant).remove(uuids, tenant)

    def _writable(self, collection: str, tenant: str | None) -> MemoryCollection:
        target = self._of(collection)
        if target.shard(tenant).status == READ_ONLY:
            raise NotWritten("the shard is read-only", where=collection, next_action="Free disk space or set it READY.")
        return target

    def _search(self, collection: str, query: SearchQuery) -> list[SearchHit]:
        target = self._of(collection)
        kept = [o for o in target.shard(query.tenant).objects.values() if ranking.matches(o, query.filters)]
        findable = {obj.uuid for obj in target.searchable(query.vector_name, query.tenant)}
        scores = ranking.vector_scores(
            [obj for obj in kept if obj.uuid in findable],
            query.vector,
            vector_name=query.vector_name,
            distance=target.distance(query.vector_name),
        )
        if query.profile.kind == "hybrid":
            scores = ranking.fused(query, scores, ranking.keyword_scores(kept, query.text, query.profile.query_properties))
        properties = {obj.uuid: obj.properties for obj in kept}
        return [SearchHit(u, scores[u], copy.deepcopy(properties[u])) for u in ranking.best(scores)[: query.limit]]
