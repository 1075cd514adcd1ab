"""Server-side vectorizers: which modules there are, and their settings; no provider is asked here."""

from __future__ import annotations

import pytest

from tests.contract.store_fixtures import *  # noqa: F403
from tests.contract.store_fixtures import TIMEOUT_S, NewCollection, an_id
from vecferry.domain.kept_vectorizer import NOTHING
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.server_text import settings_of
from vecferry.errors import BadInput
from vecferry.ports import VectorStore

COHERE = "text2vec-cohere"
SETTINGS = {"model": "small", "baseURL": "http://127.0.0.1:9", "vectorizeClassName": False}
UNNAMED_KIND = {"vectorizer": COHERE, "moduleConfig": {COHERE: SETTINGS}}
NAMED_KIND = {"vectorConfig": {"text": {"vectorizer": {COHERE: SETTINGS}, "vectorIndexType": "hnsw"}}}
KINDS = pytest.mark.parametrize(("vector", "kind"), [(UNNAMED, UNNAMED_KIND), ("text", NAMED_KIND)])


def test_the_modules_that_are_enabled_are_listed(store: VectorStore) -> None:
    assert {"text2vec-openai", COHERE} <= store.modules()


@KINDS
def test_settings_are_changed_in_place_and_the_others_stay(
    store: VectorStore, new_collection: NewCollection, vector: str, kind: dict[str, object]
) -> None:
    name = new_collection(**kind)
    store.set_vectorizer(name, vector, {"properties": [NOTHING]})
    module, settings = settings_of(store.schema(name), vector)
    assert module == COHERE
    assert {name: settings[name] for name in SETTINGS} == SETTINGS
    assert settings["properties"] == [NOTHING]
    store.set_vectorizer(name, vector, {"properties": []})
    assert not settings_of(store.schema(name), vector)[1].get("properties")


@KINDS
def test_a_held_vectorizer_asks_nobody(
    store: VectorStore, new_collection: NewCollection, vector: str, kind: dict[str, object]
) -> None:
    """There is nobody at that address: were it asked, the object would not be stored."""
    name = new_collection(**kind)
    store.set_vectorizer(name, vector, {"properties": [NOTHING]})
    single, *batch = [StoredObject(an_id(number), {"title": f"a title {number}"}, {}) for number in range(4)]
    store.let_vectorize(name, single, timeout_s=TIMEOUT_S)
    assert store.put_batch(name, batch, timeout_s=TIMEOUT_S) == {}
    found = store.read(name, [single.uuid, *(obj.uuid for obj in batch)])
    assert [obj.vectors for obj in found.values()] == [{}] * 4


def test_where_nothing_is_vectorized_there_is_nothing_to_change(store: VectorStore, collection: str) -> None:
    with pytest.raises(BadInput, match="vectorizes nothing"):
        store.set_vectorizer(collection, UNNAMED, {"properties": [NOTHING]})
