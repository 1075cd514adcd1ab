"""Reading whole objects, by id or in their order: lossless; by id at QUORUM, and absent only where the server positively says
so."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from vecferry.adapters.weaviate.calls import QUORUM, Calls, path_of, per_tenant
from vecferry.adapters.weaviate.errors import AnswerTooLarge
from vecferry.adapters.weaviate.keys import Keys
from vecferry.adapters.weaviate.objects import from_rest
from vecferry.adapters.weaviate.requests import by_ids, search_request, whole_objects
from vecferry.adapters.weaviate.schema_shape import has_references, replicas
from vecferry.adapters.weaviate.values import may_be_flipped, properties_of
from vecferry.domain.chunks import FIRST
from vecferry.domain.object_ids import canonical_uuid, uuid_before
from vecferry.domain.objects import UNNAMED, StoredObject, Vector
from vecferry.domain.packed_vector import PackedVector
from vecferry.errors import BadInput, Retryable
from vecferry.ports import Page

MOST_IDS = 1_000
PAGE = 500
"""Ids in one request: an answer of 3,072-dimensional vectors stays below 10 MB."""
_RECENT_S = 1.0
_BEYOND = "g"
"""Behind every id."""
_ONE_BY_ONE = 2
"""Up to here a GET an id is quicker than schema + search."""


class Reading:
    """By REST for a few ids, by gRPC for pages; both give the same JSON (values.py). Pages with references by REST too: gRPC
    resolves them, and does not say what a beacon without a target was."""

    def __init__(self, calls: Calls, keys: Keys) -> None:
        self._calls = calls
        self._keys = keys
        self._schemas: dict[str, tuple[float, Mapping[str, Any]]] = {}

    def read(
        self, collection: str, uuids: Sequence[str], *, tenant: str | None = None, vectors: Collection[str] | None = None
    ) -> dict[str, StoredObject]:
        wanted = [canonical_uuid(uuid) for uuid in dict.fromkeys(uuids)]
        if len(wanted) > MOST_IDS:
            raise BadInput(f"{len(wanted)} ids in one read", where=collection, next_action=f"Ask for {MOST_IDS} at most.")
        if len(wanted) <= _ONE_BY_ONE:
            return self._each(collection, wanted, tenant)
        # The schema is asked anew each time: a property that was added a moment ago belongs to the content.
        schema = self._calls.raw_schema(collection)
        if has_references(schema):
            return self._listed(collection, schema, wanted, tenant)
        found = self._pages(collection, whole_objects(schema, vectors), replicas(schema), wanted, tenant)
        flipped = [uuid for uuid, obj in found.items() if may_be_flipped(obj.properties)]
        absent = [uuid for uuid in wanted if uuid not in found]
        again = [*flipped, *self._doubtful(collection, schema, absent, tenant)]
        return {uuid: obj for uuid, obj in found.items() if uuid not in flipped} | self._each(collection, again, tenant)

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
        """By one request, where one replica's word is the collection's and gRPC carries all: decision 0029."""
        after, until = after.lower(), until.lower()
        schema = self._recent_schema(collection)
        if has_references(schema) or replicas(schema) > 1:
            keys = self._keys.keys(collection, after=after, until=until, limit=limit, tenant=tenant)
            return Page(keys, self.read(collection, keys, tenant=tenant, vectors=vectors))
        found = Page([], {})
        if not after:  # an empty cursor is none; see Keys.keys
            first = self._each(collection, [FIRST], tenant)
            found, after = Page([*first], first), FIRST
        if len(found.keys) < limit:
            parts = whole_objects(schema, vectors)
            found = _joined(found, self._following(collection, parts, after, limit - len(found.keys), tenant))
        keys = [key for key in found.keys if key <= until]
        objects = {key: found.objects[key] for key in keys if key in found.objects}
        flipped = [key for key, obj in objects.items() if may_be_flipped(obj.properties)]
        whole = {key: obj for key, obj in objects.items() if key not in flipped}
        return Page(keys, whole | self._each(collection, flipped, tenant))

    def _recent_schema(self, collection: str) -> Mapping[str, Any]:
        """Of the last second. What has a property that is younger was written since, and so is not what a scan vouches for; a
        factor that has just been raised has copied nothing yet."""
        at, schema = self._schemas.get(collection, (float("-inf"), {}))
        if time.monotonic() - at >= _RECENT_S:
            at, schema = time.monotonic(), self._calls.raw_schema(collection)
            self._schemas[collection] = (at, schema)
        return schema

    def _following(self, collection: str, parts: Mapping[str, Any], after: str, limit: int, tenant: str | None) -> Page:
        """In halves where it is too large for an answer, as in ``_page``."""
        request = search_request(collection, tenant=tenant, limit=limit, after=after, **parts)
        try:
            results = self._calls.grpc("Search", request, where=collection).results
        except AnswerTooLarge:
            if limit == 1:
                keys = self._keys.page(collection, after=after, limit=1, tenant=tenant)
                return Page(keys, self._each(collection, keys, tenant))
            first = self._following(collection, parts, after, limit // 2, tenant)
            if not first.keys:
                return first
            return _joined(first, self._following(collection, parts, first.keys[-1], limit - limit // 2, tenant))
        objects = {result.metadata.id: _from_grpc(result, tenant) for result in results}
        return Page(list(objects), objects)

    def _listed(
        self, collection: str, schema: Mapping[str, Any], wanted: Sequence[str], tenant: str | None
    ) -> dict[str, StoredObject]:
        """Copiers ask for neighbours, which a listing gives in one answer. It reads one replica: with more, each is asked."""
        if replicas(schema) > 1:
            return self._each(collection, wanted, tenant)
        found: dict[str, StoredObject] = {}
        doubtful: list[str] = []
        ordered = sorted(wanted)
        for start in range(0, len(ordered), PAGE):
            page = ordered[start : start + PAGE]
            objects, settled_to = self._listing(collection, page, tenant)
            found |= objects
            doubtful += [uuid for uuid in page if uuid not in objects and (uuid > settled_to or uuid == FIRST)]
        return found | self._each(collection, doubtful, tenant)

    def _listing(self, collection: str, page: Sequence[str], tenant: str | None) -> tuple[dict[str, StoredObject], str]:
        """Those of ``page`` among the objects that follow its first, and up to which id that is the whole truth."""
        after = uuid_before(page[0]) if page[0] != FIRST else FIRST
        params = {"class": collection, "after": after, "limit": str(len(page)), "include": "vector", **per_tenant(tenant)}
        response = self._calls.ask("/v1/objects", where=collection, params=params)
        if response.status_code == 404:
            raise self._calls.no_such(collection)
        listed = self._calls.body(response, where=collection).get("objects") or []
        wanted = set(page)
        objects = {item["id"]: from_rest(item, tenant) for item in listed if item["id"] in wanted}
        return objects, listed[-1]["id"] if len(listed) >= len(page) else _BEYOND

    def _pages(
        self, collection: str, parts: Mapping[str, Any], replicas: int, wanted: Sequence[str], tenant: str | None
    ) -> dict[str, StoredObject]:
        found: dict[str, StoredObject] = {}
        for start in range(0, len(wanted), PAGE):
            found |= self._page(collection, parts, replicas, wanted[start : start + PAGE], tenant)
        if not found.keys() <= set(wanted):
            raise Retryable("the answer holds objects that were not asked for", where=collection)
        return found

    def _page(
        self, collection: str, parts: Mapping[str, Any], replicas: int, page: Sequence[str], tenant: str | None
    ) -> dict[str, StoredObject]:
        """In halves where it is too large for an answer; an object that is so by itself comes by REST, which has no limit."""
        request = search_request(collection, tenant=tenant, limit=len(page), filters=by_ids(page), **parts)
        try:
            results = self._calls.grpc("Search", request, where=collection).results
        except AnswerTooLarge:
            if len(page) == 1:
                return self._each(collection, page, tenant)
            middle = len(page) // 2
            first, second = (self._page(collection, parts, replicas, half, tenant) for half in (page[:middle], page[middle:]))
            return first | second
        consistent = (result for result in results if replicas == 1 or result.metadata.is_consistent)
        return {result.metadata.id: _from_grpc(result, tenant) for result in consistent}

    def _doubtful(self, collection: str, schema: Mapping[str, Any], absent: Sequence[str], tenant: str | None) -> list[str]:
        """Those of ``absent`` that need a GET of their own. After a crash an object may be invisible to the id filter
        alone, so its word is not enough; one page of the cursor, which reads the objects themselves, settles most.
        """
        if len(absent) <= _ONE_BY_ONE or replicas(schema) > 1:
            return list(absent)
        first = min(uuid for uuid in absent if uuid != FIRST)
        page = self._keys.page(collection, after=uuid_before(first), limit=len(absent) + 1, tenant=tenant)
        settled_to = page[-1] if len(page) > len(absent) else _BEYOND
        stored = set(page)
        return [uuid for uuid in absent if uuid in stored or uuid > settled_to or uuid == FIRST]

    def _each(self, collection: str, uuids: Sequence[str], tenant: str | None) -> dict[str, StoredObject]:
        answers = {uuid: self._one(collection, uuid, tenant) for uuid in uuids}
        if None in answers.values():
            # 404 is also what a missing collection gives; taken for absence it would delete the copies.
            self._calls.raw_schema(collection)
        return {uuid: obj for uuid, obj in answers.items() if obj is not None}

    def _one(self, collection: str, uuid: str, tenant: str | None) -> StoredObject | None:
        where = f"{collection}/{uuid}"
        params = {"include": "vector", **QUORUM, **per_tenant(tenant)}
        response = self._calls.ask(path_of("objects", collection, uuid), where=where, params=params)
        return None if response.status_code == 404 else from_rest(self._calls.body(response, where=where), tenant)


def _joined(first: Page, second: Page) -> Page:
    return Page(first.keys + second.keys, first.objects | second.objects)


def _from_grpc(result: Any, tenant: str | None) -> StoredObject:
    metadata = result.metadata
    vectors: dict[str, Vector] = {v.name: _single(v) for v in metadata.vectors}
    if metadata.vector_bytes:
        vectors[UNNAMED] = PackedVector(metadata.vector_bytes)
    return StoredObject(metadata.id, properties_of(result.properties.non_ref_props), vectors, tenant)


def _single(vector: Any) -> Vector:
    if vector.type == vector.VECTOR_TYPE_MULTI_FP32:
        raise BadInput("multi-vectors are not carried yet", where=vector.name, next_action="Leave this collection out.")
    return PackedVector(vector.vector_bytes)
