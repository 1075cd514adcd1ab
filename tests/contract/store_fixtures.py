"""The same store cases on the fake and on the real server. Import with ``*`` to have the fixtures."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from vecferry.adapters.memory.store import MemoryStore
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.ports import VectorStore

__all__ = ["collection", "new_collection", "real_store", "store"]

TIMEOUT_S = 10.0
LANG = {"name": "lang", "dataType": ["text"], "tokenization": "field"}
TITLE = {"name": "title", "dataType": ["text"]}
COUNT = {"name": "count", "dataType": ["int"]}
NewCollection = Callable[..., str]


@pytest.fixture(scope="session")
def real_store(request: pytest.FixtureRequest) -> Iterator[WeaviateStore]:
    server = request.getfixturevalue("weaviate_server")
    store = WeaviateStore(server.http_url, server.grpc_address)
    yield store
    store.close()


@pytest.fixture(params=["memory", "weaviate"])
def store(request: pytest.FixtureRequest) -> VectorStore:
    found: VectorStore = MemoryStore() if request.param == "memory" else request.getfixturevalue("real_store")
    return found


@pytest.fixture
def new_collection(store: VectorStore) -> Iterator[NewCollection]:
    """Makes collections of names of their own, and drops them."""
    made: list[str] = []

    def make(**settings: Any) -> str:
        name = f"T{uuid.uuid4().hex[:12]}"
        schema = {"class": name, "properties": [TITLE, LANG, COUNT]} | settings
        store.create(schema if "vectorConfig" in schema else {"vectorizer": "none"} | schema)
        made.append(name)
        return name

    yield make
    for name in made:
        store.drop(name)


@pytest.fixture
def collection(new_collection: NewCollection) -> str:
    return new_collection()


def an_object(
    number: int, *, tenant: str | None = None, vector: tuple[float, ...] | None = None, **properties: Any
) -> StoredObject:
    """Number → the same object each time; ids ascend with the number."""
    drawn = random.Random(number)
    content = {"title": f"title {number}", "lang": ("en", "de")[number % 2], "count": number} | properties
    vectors = {UNNAMED: vector or tuple(drawn.uniform(-1, 1) for _ in range(8))}
    return StoredObject(an_id(number), content, vectors, tenant)


def an_id(number: int) -> str:
    return str(uuid.UUID(int=number << 64 | 0xABC))
