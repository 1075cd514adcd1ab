"""Whether a late write may bring a dropped collection back: asked of the fake and of the real server."""

from __future__ import annotations

import pytest

from tests.contract.store_fixtures import *  # noqa: F403  the fixtures
from tests.contract.store_fixtures import TIMEOUT_S, an_object
from vecferry.adapters.memory.store import MemoryStore
from vecferry.errors import NotFound
from vecferry.ports import VectorStore


def test_asking_creates_nothing(store: VectorStore, collection: str) -> None:
    before = store.collections()
    assert store.auto_schema(collection) is False
    assert store.collections() == before


def test_without_it_a_dropped_collection_stays_dropped(store: VectorStore, collection: str) -> None:
    store.drop(collection)
    with pytest.raises(NotFound):
        store.put(collection, an_object(1), timeout_s=TIMEOUT_S)
    with pytest.raises(NotFound):
        store.put_batch(collection, [an_object(1), an_object(2)], timeout_s=TIMEOUT_S)
    assert collection not in store.collections()


def test_the_fake_with_it_brings_a_dropped_collection_back_through_an_alias_too() -> None:
    store = MemoryStore(creates_missing=True)
    store.create({"class": "Docs", "properties": []})
    store.set_alias("Search", "Docs")
    for name in ("Docs", "Search"):
        store.drop("Docs")
        assert store.auto_schema("Docs") is True
        store.put(name, an_object(1), timeout_s=TIMEOUT_S)
        assert store.collections() == ["Docs"]
