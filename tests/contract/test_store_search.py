"""Searching, and what the index can find."""

from __future__ import annotations

import pytest

from tests.contract.store_fixtures import *  # noqa: F403
from tests.contract.store_fixtures import TIMEOUT_S, NewCollection, an_id, an_object
from vecferry.adapters.memory.store import MemoryStore
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.pins import SearchProfile
from vecferry.ports import SearchHit, SearchQuery, VectorStore

VECTORS = {1: (1.0, 0.0), 2: (0.8, 0.6), 3: (0.0, 2.0), 4: (-1.0, 0.1)}


def fill(store: VectorStore, collection: str, tenant: str | None = None) -> None:
    objects = [an_object(n, vector=vector, tenant=tenant) for n, vector in VECTORS.items()]
    assert store.put_batch(collection, objects, timeout_s=TIMEOUT_S) == {}


def search(store: VectorStore, collection: str, profile: SearchProfile | None = None, **changed: object) -> list[SearchHit]:
    asked = {"text": "nothing", "vector": (1.0, 0.2), "vector_name": UNNAMED, "limit": 10} | changed
    query = SearchQuery(profile=profile or SearchProfile(), **asked)  # type: ignore[arg-type]
    return store.search(collection, query, timeout_s=TIMEOUT_S)


def numbers(hits: list[SearchHit]) -> list[int]:
    return [int(hit.properties["count"]) for hit in hits]


@pytest.mark.parametrize(
    ("distance", "nearest_first", "best_score"),
    [("cosine", [1, 2, 3, 4], 0.98058), ("dot", [1, 2, 3, 4], 2.0), ("l2-squared", [1, 2, 4, 3], 0.96)],
)
def test_the_nearest_come_first(
    store: VectorStore, new_collection: NewCollection, distance: str, nearest_first: list[int], best_score: float
) -> None:
    collection = new_collection(vectorIndexConfig={"distance": distance})
    fill(store, collection)
    hits = search(store, collection)
    assert numbers(hits) == nearest_first
    assert hits[0].score == pytest.approx(best_score, abs=1e-4)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits[0].uuid == an_id(1)
    assert hits[0].properties == an_object(1).properties


def test_a_limit_and_a_filter_hold(store: VectorStore, collection: str) -> None:
    fill(store, collection)
    assert numbers(search(store, collection, limit=2)) == [1, 2]
    assert numbers(search(store, collection, filters={"lang": "en"})) == [2, 4]
    assert numbers(search(store, collection, filters={"lang": "en", "count": 4})) == [4]
    assert numbers(search(store, collection, filters={})) == [1, 2, 3, 4]


@pytest.mark.parametrize("fusion", ["ranked", "relative_score"])
def test_a_hybrid_search_weighs_words_and_vectors(store: VectorStore, collection: str, fusion: str) -> None:
    fill(store, collection)
    words = SearchProfile("hybrid", alpha=0.1, fusion=fusion, query_properties=("title",))  # type: ignore[arg-type]
    vectors = SearchProfile("hybrid", alpha=0.9, fusion=fusion)  # type: ignore[arg-type]
    assert numbers(search(store, collection, words, text="4"))[0] == 4
    assert numbers(search(store, collection, vectors, text="4"))[0] == (1 if fusion == "relative_score" else 4)
    assert numbers(search(store, collection, vectors, text="unheard-of"))[0] == 1


def test_a_named_vector_and_a_tenant_are_searched(store: VectorStore, new_collection: NewCollection) -> None:
    none = {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw"}
    collection = new_collection(vectorConfig={"a": none, "b": none}, multiTenancyConfig={"enabled": True})
    store.add_tenants(collection, {"x": "ACTIVE", "y": "ACTIVE"})
    for n, tenant in ((1, "x"), (2, "x"), (3, "y")):
        obj = StoredObject(an_id(n), {"count": n}, {"a": [n, 1.0], "b": [1.0, n]}, tenant)
        store.put(collection, obj, timeout_s=TIMEOUT_S)
    towards_one = {"vector": (0.0, 1.0), "tenant": "x"}
    assert numbers(search(store, collection, vector_name="a", **towards_one)) == [1, 2]
    assert numbers(search(store, collection, vector_name="b", **towards_one)) == [2, 1]
    hybrid = SearchProfile("hybrid", alpha=1.0)
    assert numbers(search(store, collection, hybrid, vector_name="b", **towards_one)) == [2, 1]
    assert store.indexed(collection, {an_id(1): (1, 1), an_id(3): (3, 1)}, vector_name="a", tenant="x") == {an_id(1)}


def test_what_is_stored_with_a_vector_is_indexed(store: VectorStore, collection: str) -> None:
    fill(store, collection)
    store.put(collection, StoredObject(an_id(5), {"count": 5}), timeout_s=TIMEOUT_S)
    asked = {an_id(n): VECTORS.get(n, (1.0, 1.0)) for n in range(1, 8)}
    assert store.indexed(collection, asked, vector_name=UNNAMED) == {an_id(n) for n in (1, 2, 3, 4)}
    assert store.indexed(collection, {}, vector_name=UNNAMED) == set()


def test_an_unindexed_object_is_healed_by_delete_and_put_only() -> None:
    store = MemoryStore()
    store.create({"class": "C", "properties": [{"name": n} for n in ("title", "lang", "count")]})
    fill(store, "C")
    store.unindex("C", an_id(2))
    asked = {an_id(n): vector for n, vector in VECTORS.items()}
    store.put("C", an_object(2, vector=VECTORS[2]), timeout_s=TIMEOUT_S)
    assert an_id(2) not in store.indexed("C", asked, vector_name=UNNAMED), "an identical put heals nothing"
    assert numbers(search(store, "C")) == [1, 3, 4]
    assert set(store.read("C", list(asked))) == set(asked)
    store.delete("C", an_id(2), timeout_s=TIMEOUT_S)
    store.put("C", an_object(2, vector=VECTORS[2]), timeout_s=TIMEOUT_S)
    assert store.indexed("C", asked, vector_name=UNNAMED) == set(asked)
