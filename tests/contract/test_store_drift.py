"""What following live needs of a store: properties that come, tenants that go; on the fake and on the real server."""

from __future__ import annotations

import pytest

from tests.contract.store_fixtures import *  # noqa: F403
from tests.contract.store_fixtures import TIMEOUT_S, NewCollection, an_id, an_object
from vecferry.errors import BadInput
from vecferry.ports import VectorStore

NOTE = {"name": "note", "dataType": ["text"], "tokenization": "field"}


def test_an_added_property_takes_values(store: VectorStore, collection: str) -> None:
    store.add_property(collection, NOTE)
    store.put(collection, an_object(1, note="here"), timeout_s=TIMEOUT_S)
    assert store.read(collection, [an_id(1)])[an_id(1)].properties["note"] == "here"
    declared = {prop["name"]: prop for prop in store.schema(collection)["properties"]}
    assert declared["note"]["tokenization"] == "field"


def test_a_property_that_is_there_is_refused(store: VectorStore, collection: str) -> None:
    store.add_property(collection, NOTE)
    with pytest.raises(BadInput):
        store.add_property(collection, NOTE)


def test_a_removed_tenant_is_gone_with_its_objects(store: VectorStore, new_collection: NewCollection) -> None:
    name = new_collection(multiTenancyConfig={"enabled": True})
    store.add_tenants(name, {"a": "ACTIVE", "b": "ACTIVE"})
    store.put(name, an_object(1, tenant="b"), timeout_s=TIMEOUT_S)
    store.remove_tenants(name, ["b"])
    store.remove_tenants(name, ["b"])
    assert set(store.tenants(name)) == {"a"}
    with pytest.raises(BadInput, match="tenant not found"):
        store.read(name, [an_id(1)], tenant="b")
