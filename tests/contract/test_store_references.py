"""Cross-references: read as the beacons that they are, and written also where their target is gone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.store_fixtures import *  # noqa: F403
from tests.contract.store_fixtures import TIMEOUT_S, TITLE, NewCollection, an_id, an_object
from vecferry.domain.chunks import LAST
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.ports import VectorStore

GONE = an_id(99)


@pytest.fixture
def pair(new_collection: NewCollection) -> tuple[str, str]:
    """(target with the objects 1 to 3, source with two properties that refer to it)"""
    target = new_collection()
    to = [{"name": name, "dataType": [target]} for name in ("to", "other")]
    return target, new_collection(properties=[TITLE, *to])


def refer(number: int, target: str, *uuids: str, **more: Any) -> StoredObject:
    properties = {"title": "x", "to": [beacon(target, uuid) for uuid in uuids]} | more
    return StoredObject(an_id(number), properties, {UNNAMED: (1.0, 0.5)})


def beacon(target: str, uuid: str) -> dict[str, str]:
    return {"beacon": f"weaviate://localhost/{target}/{uuid}"}


def beacons_of(obj: StoredObject, name: str = "to") -> list[str]:
    return [item["beacon"].rpartition("/")[2] for item in obj.properties[name]]


def fill(store: VectorStore, target: str) -> None:
    assert store.put_batch(target, [an_object(n) for n in (1, 2, 3)], timeout_s=TIMEOUT_S) == {}


def test_references_are_read_in_their_order_from_pages_as_one_by_one(store: VectorStore, pair: tuple[str, str]) -> None:
    target, source = pair
    fill(store, target)
    objects = [refer(n, target, an_id(2), an_id(1), an_id(2)) for n in range(1, 8)] + [
        refer(8, target),
        refer(9, target, an_id(3)),
    ]
    assert store.put_batch(source, objects, timeout_s=TIMEOUT_S) == {}
    ids = [an_id(n) for n in range(1, 12)]
    page = store.read(source, ids)
    assert set(page) == set(ids[:9])
    assert {uuid: store.read(source, [uuid])[uuid] for uuid in page} == page
    assert store.page(source, after="", until=LAST, limit=100).objects == page
    assert beacons_of(page[an_id(1)]) == [an_id(2), an_id(1), an_id(2)]
    assert page[an_id(8)].properties["to"] == []
    assert set(store.read(source, [an_id(n) for n in (2, 5, 9, 40)])) == {an_id(n) for n in (2, 5, 9)}


def test_a_reference_without_a_target_is_refused_unless_it_is_a_copys(store: VectorStore, pair: tuple[str, str]) -> None:
    target, source = pair
    fill(store, target)
    whole, broken = refer(1, target, an_id(1)), refer(2, target, an_id(1), GONE, an_id(2), other=[beacon(target, GONE)])
    assert store.put_batch(source, [whole, broken], timeout_s=TIMEOUT_S, unchecked_references=True) == {}
    found = store.read(source, [an_id(1), an_id(2), an_id(3)])
    assert beacons_of(found[an_id(1)]) == [an_id(1)]
    assert beacons_of(found[an_id(2)]) == [an_id(1), GONE, an_id(2)]
    assert beacons_of(found[an_id(2)], "other") == [GONE]
    assert list(found[an_id(2)].vectors[UNNAMED]) == [1.0, 0.5]


def test_copying_a_dangling_reference_again_doubles_nothing(store: VectorStore, pair: tuple[str, str]) -> None:
    target, source = pair
    fill(store, target)
    for _ in range(2):
        broken = refer(2, target, GONE, an_id(1))
        assert store.put_batch(source, [broken], timeout_s=TIMEOUT_S, unchecked_references=True) == {}
    assert beacons_of(store.read(source, [an_id(2)])[an_id(2)]) == [GONE, an_id(1)]


def test_a_null_inside_a_nested_object_is_not_the_same_as_nothing(store: VectorStore, new_collection: NewCollection) -> None:
    nested = {"name": "o", "dataType": ["object"], "nestedProperties": [{"name": "x", "dataType": ["text"]}]}
    collection = new_collection(properties=[TITLE, nested])
    contents = [{"o": {"x": None}}, {"o": {}}, {}, {"title": None, "o": {"x": ""}}]
    objects = [StoredObject(an_id(n), content) for n, content in enumerate(contents, 1)]
    assert store.put_batch(collection, objects, timeout_s=TIMEOUT_S) == {}
    ids = [obj.uuid for obj in objects]
    wanted = [{"o": {"x": None}}, {"o": {}}, {}, {"o": {"x": ""}}]
    assert [store.read(collection, ids)[uuid].properties for uuid in ids] == wanted
    assert [store.read(collection, [uuid])[uuid].properties for uuid in ids] == wanted
