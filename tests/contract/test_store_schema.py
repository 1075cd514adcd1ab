"""Collections, aliases, tenants, shards."""

from __future__ import annotations

import uuid

import pytest

from tests.contract.store_fixtures import *  # noqa: F403
from tests.contract.store_fixtures import TIMEOUT_S, NewCollection, an_id, an_object
from vecferry.domain.chunks import LAST
from vecferry.errors import BadInput, Conflict, NotFound, NotWritten
from vecferry.ports import VectorStore


def test_a_created_collection_is_listed_until_it_is_dropped(store: VectorStore, new_collection: NewCollection) -> None:
    name = new_collection(description="ours")
    assert name in store.collections()
    schema = store.schema(name)
    assert (schema["class"], schema["description"]) == (name, "ours")
    assert [p["name"] for p in schema["properties"]] == ["title", "lang", "count"]
    for _ in range(2):
        store.drop(name)
    assert name not in store.collections()


def test_a_second_collection_of_a_name_is_a_conflict(store: VectorStore, collection: str) -> None:
    store.put(collection, an_object(1), timeout_s=TIMEOUT_S)
    with pytest.raises(Conflict, match=collection):
        store.create({"class": collection, "vectorizer": "none"})
    assert store.count(collection) == 1


def test_a_description_can_be_changed_and_nothing_else_is(store: VectorStore, collection: str) -> None:
    before = store.schema(collection)
    store.set_description(collection, "moved to Elsewhere")
    after = store.schema(collection)
    # The server hands the properties back in another order after any change.
    for schema in (before, after):
        schema["properties"].sort(key=lambda prop: prop["name"])
    assert after == before | {"description": "moved to Elsewhere"}


def test_an_alias_stands_for_its_collection_and_can_be_switched(store: VectorStore, new_collection: NewCollection) -> None:
    first, second = new_collection(), new_collection()
    alias = f"A{uuid.uuid4().hex[:12]}"
    store.set_alias(alias, first)
    assert store.aliases()[alias] == first
    store.put(alias, an_object(1), timeout_s=TIMEOUT_S)
    store.put_batch(alias, [an_object(2)], timeout_s=TIMEOUT_S)
    assert set(store.read(first, [an_id(n) for n in (1, 2, 3, 4)])) == {an_id(1), an_id(2)}
    assert set(store.read(alias, [an_id(n) for n in (1, 2, 3, 4)])) == {an_id(1), an_id(2)}
    assert store.schema(alias)["class"] == first
    assert store.count(alias) == 2
    assert store.keys(alias, after="", until=LAST, limit=5) == [an_id(1), an_id(2)]
    store.set_alias(alias, second)
    assert store.aliases()[alias] == second
    assert store.read(alias, [an_id(1)]) == {}


def test_dropping_by_an_alias_drops_nothing(store: VectorStore, collection: str) -> None:
    alias = f"A{uuid.uuid4().hex[:12]}"
    store.set_alias(alias, collection)
    store.drop(alias)
    assert collection in store.collections()


def test_an_alias_needs_a_collection_and_takes_no_collections_name(store: VectorStore, new_collection: NewCollection) -> None:
    first, second = new_collection(), new_collection()
    with pytest.raises(NotFound, match="Nowhere"):
        store.set_alias("SomeAlias", "Nowhere")
    with pytest.raises(Conflict, match=second):
        store.set_alias(second, first)


def test_a_read_only_shard_refuses_single_writes_for_certain(store: VectorStore, collection: str) -> None:
    store.put(collection, an_object(1), timeout_s=TIMEOUT_S)
    store.set_read_only(collection, True)
    try:
        with pytest.raises(NotWritten):
            store.put(collection, an_object(2), timeout_s=TIMEOUT_S)
        with pytest.raises(NotWritten):
            store.merge(collection, an_object(1, title="x"), timeout_s=TIMEOUT_S)
        with pytest.raises(NotWritten):
            store.delete(collection, an_id(1), timeout_s=TIMEOUT_S)
        with pytest.raises(NotWritten):
            store.delete_batch(collection, [an_id(n) for n in range(1, 40)], timeout_s=TIMEOUT_S)
    finally:
        store.set_read_only(collection, False)
    assert store.read(collection, [an_id(1)])[an_id(1)].properties["title"] == "title 1"


def test_tenants_keep_their_objects_apart(store: VectorStore, new_collection: NewCollection) -> None:
    collection = new_collection(multiTenancyConfig={"enabled": True})
    store.add_tenants(collection, {"a": "ACTIVE", "b": "ACTIVE", "asleep": "INACTIVE"})
    store.add_tenants(collection, {"a": "ACTIVE"})
    assert store.tenants(collection) == {"a": "ACTIVE", "b": "ACTIVE", "asleep": "INACTIVE"}
    store.put(collection, an_object(1, tenant="a"), timeout_s=TIMEOUT_S)
    assert store.put_batch(collection, [an_object(n, tenant="b") for n in range(1, 6)], timeout_s=TIMEOUT_S) == {}
    ids = [an_id(n) for n in range(1, 8)]
    assert set(store.read(collection, ids, tenant="a")) == {an_id(1)}
    found = store.read(collection, ids, tenant="b")
    assert set(found) == set(ids[:5])
    assert found[an_id(1)].tenant == "b"
    assert (store.count(collection, tenant="a"), store.count(collection, tenant="b")) == (1, 5)
    assert store.keys(collection, after="", until=LAST, limit=9, tenant="b") == ids[:5]
    assert store.stamp_counts(collection, "lang", tenant="b") == {"de": 3, "en": 2}
    store.delete_batch(collection, ids, tenant="b", timeout_s=TIMEOUT_S)
    store.delete(collection, an_id(1), tenant="b", timeout_s=TIMEOUT_S)
    assert (store.count(collection, tenant="a"), store.count(collection, tenant="b")) == (1, 0)


@pytest.mark.parametrize("tenant", [None, "nobody", "asleep"])
def test_a_wrong_tenant_is_no_absence(store: VectorStore, new_collection: NewCollection, tenant: str | None) -> None:
    collection = new_collection(multiTenancyConfig={"enabled": True})
    store.add_tenants(collection, {"a": "ACTIVE", "asleep": "INACTIVE"})
    for ids in ([an_id(1)], [an_id(n) for n in range(9)]):
        with pytest.raises(BadInput):
            store.read(collection, ids, tenant=tenant)
    with pytest.raises(BadInput):
        store.put(collection, an_object(1, tenant=tenant), timeout_s=TIMEOUT_S)
    with pytest.raises(BadInput):
        store.delete(collection, an_id(1), tenant=tenant, timeout_s=TIMEOUT_S)
    with pytest.raises(BadInput):
        store.keys(collection, after="", until=LAST, limit=9, tenant=tenant)
    assert set(store.put_batch(collection, [an_object(1, tenant=tenant)], timeout_s=TIMEOUT_S)) == {an_id(1)}


def test_many_tenants_are_added(store: VectorStore, new_collection: NewCollection) -> None:
    collection = new_collection(multiTenancyConfig={"enabled": True})
    store.add_tenants(collection, {f"t{n}": "ACTIVE" for n in range(230)})
    assert len(store.tenants(collection)) == 230


def test_a_tenant_where_there_are_none_is_refused(store: VectorStore, collection: str) -> None:
    assert store.tenants(collection) == {}
    with pytest.raises(BadInput):
        store.read(collection, [an_id(1)], tenant="a")
    with pytest.raises(BadInput):
        store.add_tenants(collection, {"a": "ACTIVE"})


def test_shards_and_queue_are_told(store: VectorStore, collection: str) -> None:
    assert set(store.shards(collection).values()) == {"READY"}
    assert store.index_queue(collection) == 0
    assert store.alive()
