"""Many objects: batches, cursor ranges, counts."""

from __future__ import annotations

import uuid

import pytest

from tests.contract.store_fixtures import *  # noqa: F403
from tests.contract.store_fixtures import TIMEOUT_S, NewCollection, an_id, an_object
from vecferry.domain.chunks import FIRST, LAST, even_ranges
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.errors import BadInput, VecferryError
from vecferry.ports import VectorStore


def fill(store: VectorStore, collection: str, numbers: range, tenant: str | None = None) -> list[str]:
    objects = [an_object(n, tenant=tenant) for n in numbers]
    for start in range(0, len(objects), 500):
        assert store.put_batch(collection, objects[start : start + 500], timeout_s=60) == {}
    return [obj.uuid for obj in objects]


def scan(store: VectorStore, collection: str, start: str, end: str, limit: int) -> list[str]:
    found: list[str] = []
    while page := store.keys(collection, after=found[-1] if found else start, until=end, limit=limit):
        assert len(page) <= limit
        found += page
    return found


def test_a_thousand_objects_are_read_in_one_call(store: VectorStore, collection: str) -> None:
    ids = fill(store, collection, range(1, 1_001))
    found = store.read(collection, [*ids[1:], an_id(5_000)])
    assert set(found) == set(ids[1:])
    assert found[ids[700]].properties == an_object(701).properties
    assert len(found[ids[700]].vectors[""]) == 8


@pytest.mark.parametrize("absent", [[30, 31], range(200, 240), [5_000, 5_001, 5_002], [0, 77, 90_000, 3, 91_000]])
def test_absence_is_told_wherever_the_absent_ids_lie(store: VectorStore, collection: str, absent: list[int]) -> None:
    fill(store, collection, range(100, 160))
    asked = [an_id(n) for n in [*absent, *range(100, 160)]]
    assert set(store.read(collection, asked)) == {an_id(n) for n in range(100, 160)}


def test_the_all_zero_id_is_absent_or_present_like_any_other(store: VectorStore, collection: str) -> None:
    asked = [FIRST, an_id(1), an_id(2), an_id(3)]
    assert store.read(collection, asked) == {}
    store.put(collection, StoredObject(FIRST, {"title": "zero"}), timeout_s=TIMEOUT_S)
    assert set(store.read(collection, asked)) == {FIRST}


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("limit", [1, 7, 1_000])
def test_a_scan_gives_every_key_once_in_order(
    store: VectorStore, new_collection: NewCollection, shards: int, limit: int
) -> None:
    collection = new_collection(shardingConfig={"desiredCount": shards})
    store.put(collection, StoredObject(FIRST, {}), timeout_s=TIMEOUT_S)
    store.put(collection, StoredObject(LAST, {}), timeout_s=TIMEOUT_S)
    ids = fill(store, collection, range(1, 40))
    assert scan(store, collection, "", LAST, limit) == [FIRST, *ids, LAST]


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("limit", [1, 7, 1_000])
def test_pages_of_objects_are_the_keys_with_what_a_read_gives(
    store: VectorStore, new_collection: NewCollection, shards: int, limit: int
) -> None:
    collection = new_collection(shardingConfig={"desiredCount": shards})
    store.put(collection, StoredObject(FIRST, {"title": "zero"}, {UNNAMED: [0.5] * 8}), timeout_s=TIMEOUT_S)
    ids = [FIRST, *fill(store, collection, range(1, 40))]
    until, found = ids[-2], {}
    while (page := store.page(collection, after=max(found, default=""), until=until, limit=limit)).keys:
        assert len(page.keys) <= limit
        assert page.keys == sorted(page.objects) == list(page.objects)
        found |= page.objects
    assert found == store.read(collection, ids[:-1])


def test_a_page_brings_the_vectors_that_were_asked_for(store: VectorStore, new_collection: NewCollection) -> None:
    plain = {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw"}
    collection = new_collection(vectorConfig={"main": plain, "other": plain})
    vectors = {"main": (1.0, 0.0), "other": (0.0, 1.0, 0.5)}
    ids = [an_id(number) for number in range(1, 4)]
    objects = [StoredObject(key, {"title": key}, vectors) for key in ids]
    assert store.put_batch(collection, objects, timeout_s=TIMEOUT_S) == {}
    for asked in (None, (), ("other",), ("main", "other")):
        page = store.page(collection, after="", until=LAST, limit=10, vectors=asked).objects
        assert [set(obj.vectors) for obj in page.values()] == [set(vectors if asked is None else asked)] * 3
        assert [obj.properties for obj in page.values()] == [{"title": key} for key in ids]
    assert page[ids[0]].vectors == vectors


def test_a_page_is_of_one_tenant(store: VectorStore, new_collection: NewCollection) -> None:
    collection = new_collection(multiTenancyConfig={"enabled": True})
    store.add_tenants(collection, {"a": "ACTIVE", "b": "ACTIVE"})
    ids = fill(store, collection, range(1, 4), tenant="a")
    assert store.page(collection, after="", until=LAST, limit=10, tenant="a").keys == ids
    assert store.page(collection, after="", until=LAST, limit=10, tenant="b").keys == []


def test_a_page_of_a_missing_collection_is_no_empty_page(store: VectorStore) -> None:
    for after in ("", an_id(1)):
        with pytest.raises(VecferryError):
            store.page("NeverMade", after=after, until=LAST, limit=10)


def test_a_range_is_open_at_its_start_and_closed_at_its_end(store: VectorStore, collection: str) -> None:
    fill(store, collection, range(1, 10))
    assert store.keys(collection, after=an_id(3), until=an_id(6), limit=10) == [an_id(4), an_id(5), an_id(6)]
    between = str(uuid.UUID(int=uuid.UUID(an_id(3)).int + 1))
    assert store.keys(collection, after=between, until=between, limit=10) == []
    assert store.keys(collection, after=an_id(9), until=LAST, limit=10) == []


def test_even_ranges_cover_everything_once(store: VectorStore, collection: str) -> None:
    ids = [FIRST, LAST, *(str(uuid.uuid5(uuid.NAMESPACE_OID, str(n))) for n in range(200))]
    assert store.put_batch(collection, [StoredObject(u, {}) for u in ids], timeout_s=TIMEOUT_S) == {}
    found = [key for start, end in even_ranges(7) for key in scan(store, collection, start, end, 10)]
    assert found == sorted(ids)


def test_counts_follow_puts_and_deletes(store: VectorStore, collection: str) -> None:
    ids = fill(store, collection, range(1, 61))
    fill(store, collection, range(1, 11))
    assert store.count(collection) == 60
    store.delete_batch(collection, [*ids[:30], an_id(9_999)], timeout_s=TIMEOUT_S)
    assert store.count(collection) == 30
    store.delete_batch(collection, ids[:35], timeout_s=TIMEOUT_S)
    assert scan(store, collection, "", LAST, 100) == ids[35:]
    store.delete_batch(collection, ids[35:38], timeout_s=TIMEOUT_S)
    assert set(store.read(collection, ids)) == set(ids[38:])


def test_a_batch_names_the_refused_and_stores_the_others(store: VectorStore, collection: str) -> None:
    good, bad = [an_object(1), an_object(3)], an_object(2, surprise=1)
    refused = store.put_batch(collection, [good[0], bad, good[1]], timeout_s=TIMEOUT_S)
    assert set(refused) == {bad.uuid}
    assert "surprise" in refused[bad.uuid]
    assert set(store.read(collection, [an_id(n) for n in (1, 2, 3)])) == {an_id(1), an_id(3)}


def test_an_empty_batch_is_nothing(store: VectorStore, collection: str) -> None:
    assert store.put_batch(collection, [], timeout_s=TIMEOUT_S) == {}
    store.delete_batch(collection, [], timeout_s=TIMEOUT_S)


def test_an_id_twice_in_a_batch_is_refused(store: VectorStore, collection: str) -> None:
    with pytest.raises(BadInput, match="twice"):
        store.put_batch(collection, [an_object(1), an_object(1, title="other")], timeout_s=TIMEOUT_S)


def test_a_batch_into_a_read_only_shard_lies(store: VectorStore, collection: str) -> None:
    fill(store, collection, range(1, 3))
    store.set_read_only(collection, True)
    refused = store.put_batch(collection, [an_object(n) for n in range(10, 15)], timeout_s=TIMEOUT_S)
    assert set(refused) == {an_id(10)}, "only the first is refused"
    assert store.read(collection, [an_id(n) for n in range(10, 15)]) == {}, "and none is stored"
    assert set(store.shards(collection).values()) == {"READONLY"}
    store.set_read_only(collection, False)
    assert set(store.shards(collection).values()) == {"READY"}
    assert store.put_batch(collection, [an_object(10)], timeout_s=TIMEOUT_S) == {}
    assert store.count(collection) == 3


def test_stamps_of_similar_names_are_counted_apart(store: VectorStore, new_collection: NewCollection) -> None:
    stamp = {"name": "embedding_model", "dataType": ["text"], "tokenization": "field", "indexSearchable": False}
    collection = new_collection(properties=[stamp], shardingConfig={"desiredCount": 3})
    models = ["openai/text-embedding-3-small@1536", "openai/text-embedding-3-small@512", "openai/text-embedding-3", None]
    objects = [StoredObject(an_id(n), {"embedding_model": models[n % 4]}) for n in range(400)]
    assert store.put_batch(collection, objects, timeout_s=TIMEOUT_S) == {}
    assert store.stamp_counts(collection, "embedding_model") == dict.fromkeys(models[:3], 100)


def test_a_stamp_of_many_values_is_counted_whole(store: VectorStore, new_collection: NewCollection) -> None:
    stamp = {"name": "embedding_model", "dataType": ["text"], "tokenization": "field", "indexSearchable": False}
    collection = new_collection(properties=[stamp], shardingConfig={"desiredCount": 3})
    objects = [StoredObject(an_id(n), {"embedding_model": f"m{n % 350}"}) for n in range(1, 1_051)]
    assert store.put_batch(collection, objects, timeout_s=TIMEOUT_S) == {}
    assert store.stamp_counts(collection, "embedding_model") == {f"m{n}": 3 for n in range(350)}
