"""Single objects: put, merge, delete, read, and what absence means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.contract.store_fixtures import *  # noqa: F403
from tests.contract.store_fixtures import TIMEOUT_S, NewCollection, an_id, an_object
from vecferry.domain.objects import UNNAMED, StoredObject, content_hash
from vecferry.errors import BadInput, NotFound
from vecferry.ports import VectorStore


def put(store: VectorStore, collection: str, *objects: StoredObject) -> None:
    for obj in objects:
        store.put(collection, obj, timeout_s=TIMEOUT_S)


def read_one(store: VectorStore, collection: str, uuid: str, tenant: str | None = None) -> StoredObject | None:
    return store.read(collection, [uuid], tenant=tenant).get(uuid)


def vectors_of(obj: StoredObject | None) -> dict[str, list[float]]:
    assert obj is not None
    return {name: pytest.approx(list(vector), abs=1e-6) for name, vector in obj.vectors.items()}


def test_what_was_put_is_read_whole(store: VectorStore, collection: str) -> None:
    obj = an_object(1)
    put(store, collection, obj)
    found = read_one(store, collection, obj.uuid)
    assert found is not None
    assert found.properties == obj.properties
    assert list(found.vectors[UNNAMED]) == vectors_of(obj)[UNNAMED]
    assert found.tenant is None


def test_a_put_replaces_everything_also_the_vector(store: VectorStore, collection: str) -> None:
    put(store, collection, an_object(1))
    put(store, collection, StoredObject(an_id(1), {"title": "new"}))
    found = read_one(store, collection, an_id(1))
    assert found is not None
    assert found.properties == {"title": "new"}
    assert found.vectors == {}


def test_a_null_is_the_same_as_nothing(store: VectorStore, collection: str) -> None:
    put(store, collection, an_object(1, title=None))
    found = read_one(store, collection, an_id(1))
    assert found is not None
    assert set(found.properties) == {"lang", "count"}


def test_an_upper_case_id_is_the_same_object(store: VectorStore, collection: str) -> None:
    put(store, collection, an_object(1))
    assert set(store.read(collection, [an_id(1).upper()])) == {an_id(1)}


def test_a_merge_keeps_what_it_does_not_name(store: VectorStore, collection: str) -> None:
    put(store, collection, an_object(1))
    assert store.merge(collection, StoredObject(an_id(1), {"title": "merged", "count": None}), timeout_s=TIMEOUT_S)
    found = read_one(store, collection, an_id(1))
    assert found is not None
    assert found.properties == {"title": "merged", "lang": "de"}
    assert list(found.vectors[UNNAMED]) == vectors_of(an_object(1))[UNNAMED]


def test_a_merge_replaces_the_vectors_that_it_names(store: VectorStore, new_collection: NewCollection) -> None:
    none = {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw"}
    collection = new_collection(vectorConfig={"a": none, "b": none})
    put(store, collection, StoredObject(an_id(1), {"title": "x"}, {"a": [1, 2], "b": [1, 2, 3]}))
    assert store.merge(collection, StoredObject(an_id(1), {}, {"a": [5, 6]}), timeout_s=TIMEOUT_S)
    found = read_one(store, collection, an_id(1))
    assert found is not None
    assert {name: list(vector) for name, vector in found.vectors.items()} == {"a": [5, 6], "b": [1, 2, 3]}
    assert found.properties == {"title": "x"}


def test_a_merge_into_nothing_says_so_and_creates_nothing(store: VectorStore, collection: str) -> None:
    assert store.merge(collection, an_object(1), timeout_s=TIMEOUT_S) is False
    assert store.count(collection) == 0


def test_deleting_twice_is_no_error(store: VectorStore, collection: str) -> None:
    put(store, collection, an_object(1), an_object(2))
    for _ in range(2):
        store.delete(collection, an_id(1), timeout_s=TIMEOUT_S)
    assert set(store.read(collection, [an_id(1), an_id(2)])) == {an_id(2)}


def test_absent_objects_are_missing_in_the_answer_and_are_no_error(store: VectorStore, collection: str) -> None:
    put(store, collection, an_object(1))
    assert set(store.read(collection, [an_id(1), an_id(2)])) == {an_id(1)}
    assert store.read(collection, []) == {}


@pytest.mark.parametrize("ids", [1, 50])
def test_a_missing_collection_is_no_absence(store: VectorStore, ids: int) -> None:
    with pytest.raises(NotFound, match="Nowhere"):
        store.read("Nowhere", [an_id(n) for n in range(ids)])


@pytest.mark.parametrize("call", ["put", "merge", "delete", "put_batch", "delete_batch", "count", "keys", "schema", "shards"])
def test_a_missing_collection_is_named_with_those_that_exist(store: VectorStore, collection: str, call: str) -> None:
    calls = {
        "put": lambda: store.put("Nowhere", an_object(1), timeout_s=TIMEOUT_S),
        "merge": lambda: store.merge("Nowhere", an_object(1), timeout_s=TIMEOUT_S),
        "delete": lambda: store.delete("Nowhere", an_id(1), timeout_s=TIMEOUT_S),
        "put_batch": lambda: store.put_batch("Nowhere", [an_object(1), an_object(2)], timeout_s=TIMEOUT_S),
        "delete_batch": lambda: store.delete_batch("Nowhere", [an_id(n) for n in range(40)], timeout_s=TIMEOUT_S),
        "count": lambda: store.count("Nowhere"),
        "keys": lambda: store.keys("Nowhere", after="", until=an_id(9), limit=5),
        "schema": lambda: store.schema("Nowhere"),
        "shards": lambda: store.shards("Nowhere"),
    }
    with pytest.raises(NotFound, match=collection):
        calls[call]()
    assert "Nowhere" not in store.collections()


def test_an_unknown_property_is_refused_by_name(store: VectorStore, collection: str) -> None:
    with pytest.raises(BadInput, match="surprise"):
        put(store, collection, an_object(1, surprise="x"))
    assert store.read(collection, [an_id(1)]) == {}


def test_a_vector_of_another_length_is_refused_and_changes_nothing(store: VectorStore, collection: str) -> None:
    put(store, collection, an_object(1))
    with pytest.raises(BadInput, match="length"):
        put(store, collection, an_object(1, title="longer", vector=(1.0, 2.0)))
    found = read_one(store, collection, an_id(1))
    assert found is not None
    assert found.properties["title"] == "title 1"


def test_an_unknown_vector_name_is_refused(store: VectorStore, collection: str) -> None:
    with pytest.raises(BadInput):
        put(store, collection, StoredObject(an_id(1), {}, {"elsewhere": [1.0]}))


def test_no_uuid_is_refused_before_anything_is_sent(store: VectorStore, collection: str) -> None:
    with pytest.raises(BadInput, match="UUID"):
        store.delete(collection, "../schema", timeout_s=TIMEOUT_S)
    with pytest.raises(BadInput, match="UUID"):
        store.read(collection, ["x"])


def test_more_ids_than_a_read_takes_are_refused(store: VectorStore, collection: str) -> None:
    with pytest.raises(BadInput, match="1000"):
        store.read(collection, [an_id(n) for n in range(1_001)])


def test_named_vectors_come_back_by_name(store: VectorStore, new_collection: NewCollection) -> None:
    none = {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw"}
    collection = new_collection(vectorConfig={"a": none, "b": none})
    objects = [StoredObject(an_id(n), {"count": n}, {"a": [n, 2.5], "b": [0.5, n, 1]}) for n in range(4)]
    assert store.put_batch(collection, [*objects[:3], replace(objects[3], vectors={"b": [1, 2, 3]})], timeout_s=TIMEOUT_S) == {}
    found = store.read(collection, [an_id(n) for n in range(4)])
    assert {name: list(vector) for name, vector in found[an_id(2)].vectors.items()} == {"a": [2, 2.5], "b": [0.5, 2, 1]}
    assert set(found[an_id(3)].vectors) == {"b"}


def test_one_and_many_are_read_alike(store: VectorStore, collection: str) -> None:
    objects = [an_object(n) for n in range(1, 12)]
    assert store.put_batch(collection, objects, timeout_s=TIMEOUT_S) == {}
    many = store.read(collection, [obj.uuid for obj in objects])
    for obj in objects:
        one = read_one(store, collection, obj.uuid)
        assert one == many[obj.uuid]
        assert content_hash(one, [UNNAMED]) == content_hash(obj, [UNNAMED])
