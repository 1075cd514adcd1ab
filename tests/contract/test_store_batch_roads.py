"""A batch of plain objects goes by gRPC, any other by JSON: what is stored is the same, digit by digit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.contract.store_fixtures import *  # noqa: F403
from tests.contract.store_fixtures import TIMEOUT_S
from vecferry.adapters.weaviate import writing
from vecferry.adapters.weaviate.batch_message import batch_message
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.errors import NotWritten

TYPES = ("text", "int", "number", "boolean", "date", "uuid", "text[]", "date[]", "uuid[]")
CONTENTS: list[dict[str, Any]] = [
    {"text": 'héllo\n"x" \\ \u2028 😀\x00', "int": -(2**53) + 1, "number": 1.1, "boolean": False, "textlist": ["a", "", "b"]},
    {"date": "2024-02-03T04:05:06.123456789+02:00", "uuid": "00000000-0000-0000-0000-0000000000ab", "number": 5e-324},
    {"datelist": ["2024-02-03T04:05:06Z", "0001-01-01T00:00:00Z"], "uuidlist": [str(UUID(int=7))], "number": -1e300},
    {"text": "", "int": 0, "number": -0.0, "boolean": True},
    {},
]
VECTORS = {UNNAMED: (0.1, 1 / 3, -2.5), "other": (1e-8, 12345.678)}


@pytest.fixture
def target(real_store: WeaviateStore) -> Iterator[str]:
    name = f"B{uuid4().hex[:12]}"
    properties = [{"name": kind.replace("[]", "list"), "dataType": [kind]} for kind in TYPES]
    named = {"other": {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw"}}
    real_store.create({"class": name, "properties": properties, "vectorizer": "none", "vectorIndexType": "hnsw"})
    real_store.create({"class": f"{name}Named", "properties": properties, "vectorConfig": named})
    yield name
    real_store.drop(name)
    real_store.drop(f"{name}Named")


@pytest.mark.parametrize("vector", list(VECTORS), ids=["unnamed", "named"])
def test_both_roads_store_the_same(
    real_store: WeaviateStore, target: str, vector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = f"{target}Named" if vector else target
    by_grpc = [StoredObject(str(UUID(int=n + 1)), content, {vector: VECTORS[vector]}) for n, content in enumerate(CONTENTS)]
    by_json = [replace(obj, uuid=str(UUID(int=n + 100))) for n, obj in enumerate(by_grpc)]
    assert batch_message(collection, by_grpc) is not None
    assert real_store.put_batch(collection, by_grpc, timeout_s=TIMEOUT_S) == {}
    monkeypatch.setattr(writing, "batch_message", lambda collection, objects: None)
    assert real_store.put_batch(collection, by_json, timeout_s=TIMEOUT_S) == {}
    stored = real_store.read(collection, [obj.uuid for obj in (*by_grpc, *by_json)])
    for one, other in zip(by_grpc, by_json, strict=True):
        assert stored[one.uuid] == replace(stored[other.uuid], uuid=one.uuid)
        assert repr(sorted(stored[one.uuid].properties.items())) == repr(sorted(stored[other.uuid].properties.items()))


def test_without_a_connection_nothing_was_written() -> None:
    store = WeaviateStore("http://127.0.0.1:1", "127.0.0.1:1")
    with pytest.raises(NotWritten):
        store.put_batch("Docs", [StoredObject(str(UUID(int=n + 1)), {"text": "x"}) for n in range(3)], timeout_s=2)
    store.close()
