"""A store whose live collection is made up object by object when it is read; everything else is the store in memory."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Sequence
from typing import Any

from vecferry.adapters.memory.store import MemoryStore
from vecferry.domain.density import key_of
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.ports import Page
from vecferry.sandbox.plan_scale.id_space import IdSpace, holds

LIVE = "Scale"
DIMENSIONS = 8
"""The ledger does not know how long vectors are."""
_VECTOR = (1.0,) + (0.0,) * (DIMENSIONS - 1)
_CHARACTERS_PER_TOKEN = 4


class SimulatedStore(MemoryStore):
    """``ids`` are the live collection's; each object has a text of ``tokens``. ``looks`` counts the cursor reads of it,
    ``seconds`` what they took."""

    def __init__(self, ids: IdSpace, tokens: int) -> None:
        super().__init__()
        self._ids = ids
        self._characters = tokens * _CHARACTERS_PER_TOKEN
        self.looks = 0
        self.seconds = 0.0
        self.create(_schema())

    def count(self, collection: str, *, tenant: str | None = None) -> int:
        return self._ids.objects if collection == LIVE else super().count(collection, tenant=tenant)

    def keys(self, collection: str, *, after: str, until: str, limit: int, tenant: str | None = None) -> list[str]:
        if collection != LIVE:
            return super().keys(collection, after=after, until=until, limit=limit, tenant=tenant)
        started = time.perf_counter()
        found = self._ids.keys(uuid.UUID(after).int if after else -1, uuid.UUID(until).int, limit)
        keys = [key_of(number) for number in found]
        self.looks, self.seconds = self.looks + 1, self.seconds + time.perf_counter() - started
        return keys

    def read(
        self, collection: str, uuids: Sequence[str], *, tenant: str | None = None, vectors: Collection[str] | None = None
    ) -> dict[str, StoredObject]:
        if collection != LIVE:
            return super().read(collection, uuids, tenant=tenant, vectors=vectors)
        return {key: self._object(key) for key in uuids if holds(self._ids, uuid.UUID(key).int)}

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
        keys = self.keys(collection, after=after, until=until, limit=limit, tenant=tenant)
        return Page(keys, self.read(collection, keys, tenant=tenant))

    def _object(self, key: str) -> StoredObject:
        return StoredObject(
            key, {"body": f"{key} ".ljust(self._characters, "x")}, {UNNAMED: (1.0,) + (0.0,) * (DIMENSIONS - 1)}
        )


def _schema() -> dict[str, Any]:
    index = {"vectorIndexType": "hnsw", "vectorIndexConfig": {"distance": "cosine"}}
    return {"class": LIVE, "vectorizer": "none", "properties": [{"name": "body", "dataType": ["text"]}], **index}
