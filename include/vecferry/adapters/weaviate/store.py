"""``WeaviateStore``: the ``VectorStore`` port on a real server."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import httpx

from vecferry.adapters.weaviate.auto_schema import creates_collections
from vecferry.adapters.weaviate.calls import Calls
from vecferry.adapters.weaviate.connection import Connection
from vecferry.adapters.weaviate.deadline import Deadline
from vecferry.adapters.weaviate.keys import Keys
from vecferry.adapters.weaviate.reading import Reading
from vecferry.adapters.weaviate.schema import Schema
from vecferry.adapters.weaviate.searching import Searching
from vecferry.adapters.weaviate.server_vectors import KeyOf, ServerVectors, no_key
from vecferry.adapters.weaviate.writing import Writing
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.objects import StoredObject, Vector
from vecferry.ports import Page, SearchHit, SearchQuery

_ALIVE_WITHIN_S = 2.0


class WeaviateStore:
    """``url`` REST address, ``grpc`` host:port. ``timeout_s`` bounds a read, ``schema_timeout_s`` a schema change.

    ``key_of`` gives a provider's key for ``let_vectorize``. Thread-safe; a forked child gets connections of its own. Connects
    on first use. It creates no collection by writing to one only if the server's auto-schema is off (AUTOSCHEMA_ENABLED=false),
    which no client can decide for it.
    """

    def __init__(
        self,
        url: str,
        grpc: str,
        api_key: str | None = None,
        *,
        timeout_s: float = 10.0,
        schema_timeout_s: float = 60.0,
        key_of: KeyOf = no_key,
    ) -> None:
        self._connection = Connection(url, grpc, api_key)
        self._calls = calls = Calls(self._connection, timeout_s=timeout_s, schema_timeout_s=schema_timeout_s)
        self._schema = Schema(calls)
        self._keys = Keys(calls)
        self._reading = Reading(calls, self._keys)
        self._writing = Writing(calls)
        self._searching = Searching(calls)
        self._server_vectors = ServerVectors(calls, key_of)

    def collections(self) -> list[str]:
        return self._schema.collections()

    def schema(self, collection: str) -> dict[str, Any]:
        return self._schema.schema(collection)

    def create(self, schema: Mapping[str, Any]) -> None:
        self._schema.create(schema)

    def drop(self, collection: str) -> None:
        self._schema.drop(collection)

    def set_description(self, collection: str, description: str) -> None:
        self._schema.change(collection, description=description)

    def tenants(self, collection: str) -> dict[str, str]:
        return self._schema.tenants(collection)

    def add_tenants(self, collection: str, tenants: Mapping[str, str]) -> None:
        self._schema.add_tenants(collection, tenants)

    def set_tenants(self, collection: str, tenants: Mapping[str, str]) -> None:
        self._schema.set_tenants(collection, tenants)

    def set_tenancy(self, collection: str, settings: Mapping[str, Any]) -> None:
        self._schema.change(collection, multiTenancyConfig=dict(settings))

    def remove_tenants(self, collection: str, tenants: Sequence[str]) -> None:
        self._schema.remove_tenants(collection, tenants)

    def add_property(self, collection: str, definition: Mapping[str, Any]) -> None:
        self._schema.add_property(collection, definition)

    def modules(self) -> frozenset[str]:
        return self._server_vectors.modules()

    def set_vectorizer(self, collection: str, vector_name: str, settings: Mapping[str, Any]) -> None:
        self._server_vectors.change(collection, vector_name, settings)

    def shards(self, collection: str) -> dict[str, str]:
        return self._schema.shards(collection)

    def set_read_only(self, collection: str, read_only: bool) -> None:
        self._schema.set_read_only(collection, read_only)

    def auto_schema(self, like: str) -> bool:
        return creates_collections(self._calls, like)

    def aliases(self) -> dict[str, str]:
        return self._schema.aliases()

    def set_alias(self, alias: str, collection: str) -> None:
        self._schema.set_alias(alias, collection)

    def alive(self) -> bool:
        try:
            limit = Deadline(_ALIVE_WITHIN_S)
            return self._connection.http().get("/v1/.well-known/ready", extensions={"timeout": limit}).is_success
        except httpx.HTTPError:
            return False

    def incarnations(self) -> dict[str, str]:
        return self._schema.incarnations()

    def count(self, collection: str, *, tenant: str | None = None) -> int:
        return self._keys.count(collection, tenant=tenant)

    def keys(self, collection: str, *, after: str, until: str, limit: int, tenant: str | None = None) -> list[str]:
        return self._keys.keys(collection, after=after, until=until, limit=limit, tenant=tenant)

    def read(
        self, collection: str, uuids: Sequence[str], *, tenant: str | None = None, vectors: Collection[str] | None = None
    ) -> dict[str, StoredObject]:
        return self._reading.read(collection, uuids, tenant=tenant, vectors=vectors)

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
        return self._reading.page(collection, after=after, until=until, limit=limit, tenant=tenant, vectors=vectors)

    def put(self, collection: str, obj: StoredObject, *, timeout_s: float) -> None:
        self._writing.put(collection, obj, timeout_s=timeout_s)

    def let_vectorize(self, collection: str, obj: StoredObject, *, key_of: ModelCard | None = None, timeout_s: float) -> None:
        self._server_vectors.let_vectorize(collection, obj, key_of=key_of, timeout_s=timeout_s)

    def merge(self, collection: str, obj: StoredObject, *, timeout_s: float) -> bool:
        return self._writing.merge(collection, obj, timeout_s=timeout_s)

    def delete(self, collection: str, uuid: str, *, tenant: str | None = None, timeout_s: float) -> None:
        self._writing.delete(collection, uuid, tenant=tenant, timeout_s=timeout_s)

    def put_batch(
        self,
        collection: str,
        objects: Sequence[StoredObject],
        *,
        timeout_s: float,
        unchecked_references: bool = False,
    ) -> dict[str, str]:
        return self._writing.put_batch(collection, objects, timeout_s=timeout_s, unchecked_references=unchecked_references)

    def delete_batch(self, collection: str, uuids: Sequence[str], *, tenant: str | None = None, timeout_s: float) -> None:
        self._writing.delete_batch(collection, uuids, tenant=tenant, timeout_s=timeout_s)

    def indexed(
        self, collection: str, vectors: Mapping[str, Vector], *, vector_name: str, tenant: str | None = None
    ) -> set[str]:
        return self._searching.indexed(collection, vectors, vector_name=vector_name, tenant=tenant)

    def index_queue(self, collection: str) -> int:
        return self._schema.index_queue(collection)

    def search(self, collection: str, query: SearchQuery, *, timeout_s: float) -> list[SearchHit]:
        return self._searching.search(collection, query, timeout_s=timeout_s)

    def stamp_counts(self, collection: str, stamp: str, *, tenant: str | None = None) -> dict[str, int]:
        return self._keys.stamp_counts(collection, stamp, tenant=tenant)

    def native(self, collection: str, *, tenant: str | None = None) -> Any:
        """``weaviate.collections.Collection``; it raises the vendor client's own errors."""
        handle = self._connection.vendor().collections.use(collection)
        return handle if tenant is None else handle.with_tenant(tenant)

    def close(self) -> None:
        self._connection.close()
