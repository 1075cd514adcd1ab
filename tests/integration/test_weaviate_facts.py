"""What the store depends on in the server itself: where a new version behaves otherwise, this says so first."""

from __future__ import annotations

import base64
import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.nemesis.proxy import Proxies
from vecferry.adapters.weaviate.calls import Calls
from vecferry.adapters.weaviate.errors import AnswerTooLarge, MessageTooLarge
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.adapters.weaviate.writing import Writing
from vecferry.domain.chunks import LAST
from vecferry.domain.objects import UNNAMED, StoredObject, size_bytes
from vecferry.domain.pins import SearchProfile
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.schema import schema_differences, shadow_schema
from vecferry.domain.shadow import ShadowSpec
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.errors import BadInput, NotFound, NotWritten, Retryable, UnknownOutcome
from vecferry.ports import SearchQuery
from vecferry.sandbox.wait_until import wait_until
from vecferry.sandbox.weaviate_server import WeaviateServer

QUORUM = {"consistency_level": "QUORUM"}
TIMEOUT_S = 20.0


@pytest.fixture
def http(weaviate_server: WeaviateServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=weaviate_server.http_url, trust_env=False, timeout=TIMEOUT_S) as client:
        yield client


@pytest.fixture
def store(weaviate_server: WeaviateServer) -> Iterator[WeaviateStore]:
    store = WeaviateStore(weaviate_server.http_url, weaviate_server.grpc_address)
    yield store
    store.close()


@pytest.fixture
def collection(store: WeaviateStore) -> Iterator[str]:
    name = f"F{uuid.uuid4().hex[:12]}"
    store.create({"class": name, "vectorizer": "none", "properties": [{"name": "title", "dataType": ["text"]}]})
    yield name
    store.drop(name)


def an_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def objects(*numbers: int, **properties: Any) -> list[StoredObject]:
    return [StoredObject(an_id(n), {"title": f"t{n}", **properties}, {UNNAMED: [n, 1.0]}) for n in numbers]


def body_of(collection: str, number: int, title: str) -> dict[str, Any]:
    return {"class": collection, "id": an_id(number), "properties": {"title": title}, "vector": [1.0, 2.0]}


def test_only_a_batch_is_an_upsert(http: httpx.Client, store: WeaviateStore, collection: str) -> None:
    """Why ``put`` is a batch of one."""
    path = f"/v1/objects/{collection}/{an_id(1)}"
    assert http.put(path, params=QUORUM, json=body_of(collection, 1, "a")).status_code == 404
    assert http.post("/v1/objects", params=QUORUM, json=body_of(collection, 1, "a")).status_code == 200
    assert http.post("/v1/objects", params=QUORUM, json=body_of(collection, 1, "b")).status_code == 422
    store.put(collection, objects(1)[0], timeout_s=TIMEOUT_S)
    assert http.get(path).json()["properties"] == {"title": "t1"}


def test_duplicates_in_a_batch_collapse_silently(http: httpx.Client, store: WeaviateStore, collection: str) -> None:
    """Why ``put_batch`` refuses them."""
    twice = {"objects": [body_of(collection, 1, "a"), body_of(collection, 1, "b")]}
    answers = http.post("/v1/batch/objects", params=QUORUM, json=twice).json()
    assert [answer["result"]["status"] for answer in answers] == ["SUCCESS", "SUCCESS"]
    assert store.count(collection) == 1


def test_a_missing_object_and_a_missing_collection_answer_alike(http: httpx.Client, collection: str) -> None:
    """Why a 404 counts as absence only after the schema was found."""
    answers = [http.get(f"/v1/objects/{name}/{an_id(7)}") for name in (collection, "Nowhere")]
    assert [(answer.status_code, answer.content) for answer in answers] == [(404, b""), (404, b"")]


def test_a_query_without_a_limit_is_cut_silently(http: httpx.Client, store: WeaviateStore, collection: str) -> None:
    """Why every request says its limit."""
    store.put_batch(collection, objects(*range(1, 301)), timeout_s=TIMEOUT_S)
    assert len(http.get("/v1/objects", params={"class": collection}).json()["objects"]) < 300


def test_groups_are_cut_silently_and_per_shard(http: httpx.Client, store: WeaviateStore) -> None:
    """Why stamp counts ask for far more groups than there can be, and refuse a full answer."""
    name = f"F{uuid.uuid4().hex[:12]}"
    prop = {"name": "model", "dataType": ["text"], "tokenization": "field"}
    store.create({"class": name, "vectorizer": "none", "properties": [prop], "shardingConfig": {"desiredCount": 3}})
    try:
        rows = [StoredObject(an_id(n), {"model": f"m{n % 250}"}) for n in range(1, 1_001)]
        store.put_batch(name, rows, timeout_s=TIMEOUT_S)
        query = '{Aggregate{NAME(groupBy:["model"]){meta{count}}}}'.replace("NAME", name)
        groups = http.post("/v1/graphql", json={"query": query}).json()["data"]["Aggregate"][name]
        assert sum(group["meta"]["count"] for group in groups) < 1_000
        assert store.stamp_counts(name, "model") == {f"m{n}": 4 for n in range(250)}
    finally:
        store.drop(name)


def test_writes_are_read_at_once(store: WeaviateStore, collection: str) -> None:
    for number in range(1, 60):
        [obj] = objects(number)
        store.put(collection, obj, timeout_s=TIMEOUT_S)
        ids = [an_id(n) for n in range(1, number + 3)]
        assert len(store.read(collection, ids)) == number
        assert set(store.read(collection, [obj.uuid])) == {obj.uuid}
        assert store.keys(collection, after=an_id(number - 1) if number > 1 else "", until=an_id(99), limit=5) == [obj.uuid]


def test_auto_schema_is_off_so_a_dropped_collection_stays_dropped(store: WeaviateStore, collection: str) -> None:
    alias = f"A{uuid.uuid4().hex[:12]}"
    store.set_alias(alias, collection)
    store.drop(collection)
    for name in (collection, alias):
        with pytest.raises(NotFound):
            store.put(name, objects(1)[0], timeout_s=TIMEOUT_S)
    assert collection not in store.collections()


def test_an_explicit_vector_is_kept_as_it_was_given(store: WeaviateStore, collection: str) -> None:
    """Cosine collections normalise in the index only; a carried vector must not change."""
    obj = StoredObject(an_id(1), {}, {UNNAMED: [3.0, 4.0]})
    store.put(collection, obj, timeout_s=TIMEOUT_S)
    assert store.read(collection, [obj.uuid])[obj.uuid].vectors[UNNAMED] == (3.0, 4.0)


def test_the_vendor_client_sees_the_same_collection(store: WeaviateStore, collection: str) -> None:
    from weaviate.classes.query import Filter

    store.put_batch(collection, objects(1, 2, 3), timeout_s=TIMEOUT_S)
    native = store.native(collection)
    hits = native.query.hybrid("t2", vector=[2.0, 1.0], limit=3, filters=Filter.by_property("title").equal("t2"))
    assert [str(hit.uuid) for hit in hits.objects] == [an_id(2)]
    assert store.native(collection).aggregate.over_all().total_count == 3


def test_every_form_of_filter_means_the_same(store: WeaviateStore, collection: str) -> None:
    from weaviate.classes.query import Filter

    store.put_batch(collection, objects(1, 2, 3), timeout_s=TIMEOUT_S)
    equal = {"path": ["title"], "operator": "Equal", "valueText": "t2"}
    forms: list[Any] = [
        {"title": "t2"},
        Filter.by_property("title").equal("t2"),
        equal,
        {"operator": "And", "operands": [equal, {"path": ["id"], "operator": "NotEqual", "valueText": an_id(3)}]},
        {"operator": "Or", "operands": [equal, {"path": ["title"], "operator": "Equal", "valueText": "none"}]},
    ]
    for filters in forms:
        query = SearchQuery("", [1.0, 1.0], SearchProfile(), UNNAMED, filters=filters)
        assert [hit.uuid for hit in store.search(collection, query, timeout_s=TIMEOUT_S)] == [an_id(2)], filters
    for wrong in ("title = 2", 7, {"operator": "Sounds", "path": ["title"], "valueText": "x"}):
        query = SearchQuery("", [1.0, 1.0], SearchProfile(), UNNAMED, filters=wrong)
        with pytest.raises(BadInput, match="filter"):
            store.search(collection, query, timeout_s=TIMEOUT_S)


def test_a_wrong_search_is_refused_and_says_why(store: WeaviateStore, collection: str) -> None:
    store.put_batch(collection, objects(1, 2, 3), timeout_s=TIMEOUT_S)
    for query in (
        SearchQuery("", [1.0, 1.0, 1.0], SearchProfile(), UNNAMED),
        SearchQuery("", [1.0, 1.0], SearchProfile(), "elsewhere"),
    ):
        with pytest.raises(BadInput):
            store.search(collection, query, timeout_s=TIMEOUT_S)


def test_a_timed_out_write_may_still_land(weaviate_server: WeaviateServer, store: WeaviateStore, collection: str) -> None:
    """The ghost that the whole protocol is about; the outcome is unknown, and the store says so."""
    many = [StoredObject(an_id(n), {"title": "x" * 200}, {UNNAMED: [float(i) for i in range(300)]}) for n in range(1, 800)]
    hasty = WeaviateStore(weaviate_server.http_url, weaviate_server.grpc_address)
    assert hasty.alive()
    with pytest.raises(UnknownOutcome):
        hasty.put_batch(collection, many, timeout_s=0.15)
    hasty.close()


@pytest.fixture
def own_server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[WeaviateServer]:
    with WeaviateServer(tmp_path / "data", **getattr(request, "param", {})) as server:
        yield server


@pytest.mark.parametrize("own_server", [{"api_key": "the-key"}], indirect=True)
def test_a_wrong_key_is_bad_input_on_every_road(own_server: WeaviateServer) -> None:
    right = WeaviateStore(own_server.http_url, own_server.grpc_address, "the-key")
    right.create({"class": "Docs", "vectorizer": "none"})
    right.put_batch("Docs", [StoredObject(an_id(n), {}, {UNNAMED: [1.0]}) for n in (1, 2, 3)], timeout_s=TIMEOUT_S)
    ids = [an_id(n) for n in (1, 2, 3)]
    assert len(right.read("Docs", ids)) == right.count("Docs") == 3
    assert right.native("Docs").aggregate.over_all().total_count == 3
    for key in (None, "another"):
        wrong = WeaviateStore(own_server.http_url, own_server.grpc_address, key)
        for call in (
            lambda store=wrong: store.schema("Docs"),
            lambda store=wrong: store.read("Docs", ids),
            lambda store=wrong: store.count("Docs"),
            lambda store=wrong: store.put("Docs", StoredObject(an_id(4), {}), timeout_s=TIMEOUT_S),
        ):
            with pytest.raises(BadInput, match="VECFERRY_WEAVIATE_API_KEY"):
                call()
        assert wrong.alive()


@pytest.mark.parametrize("own_server", [{"env": {"DEFAULT_QUANTIZATION": "rq-8"}}], indirect=True)
def test_a_copy_is_not_quantised_by_the_servers_default(own_server: WeaviateServer) -> None:
    store = WeaviateStore(own_server.http_url, own_server.grpc_address)
    plain = {"skipDefaultQuantization": True}
    store.create({"class": "Docs", "vectorizer": "none", "vectorIndexConfig": plain})
    assert store.schema("Docs")["vectorIndexConfig"]["rq"]["enabled"] is False
    spec = ShadowSpec("Docs", "Docs_2", TextRecipe(("title",)), EmbeddingSpace("t", "m", 2, distance="dot"))
    live = store.schema("Docs")
    live["vectorIndexConfig"]["skipDefaultQuantization"] = False
    store.create(shadow_schema(live, spec))
    shadow = store.schema("Docs_2")
    assert shadow["vectorIndexConfig"]["rq"]["enabled"] is False
    assert [row for row in schema_differences(live, shadow, spec) if not row["allowed"]] == []


@pytest.mark.parametrize("own_server", [{"async_indexing": True}], indirect=True)
def test_the_index_queue_empties(own_server: WeaviateServer) -> None:
    store = WeaviateStore(own_server.http_url, own_server.grpc_address)
    store.create({"class": "Docs", "vectorizer": "none"})
    vectors = {an_id(n): [float(n), 1.0, 2.0] for n in range(1, 501)}
    rows = [StoredObject(key, {}, {UNNAMED: vector}) for key, vector in vectors.items()]
    assert store.put_batch("Docs", rows, timeout_s=TIMEOUT_S) == {}
    wait_until(lambda: store.index_queue("Docs") == 0, awaited="an empty index queue", deadline_s=60)
    wait_until(
        lambda: store.indexed("Docs", vectors, vector_name=UNNAMED) == set(vectors),
        awaited="all objects in the index",
        deadline_s=60,
    )


def test_a_server_that_is_killed_and_comes_back_is_found_again(own_server: WeaviateServer) -> None:
    store = WeaviateStore(own_server.http_url, own_server.grpc_address, timeout_s=2)
    store.create({"class": "Docs", "vectorizer": "none"})
    rows = [StoredObject(an_id(n), {}, {UNNAMED: [float(n)]}) for n in range(1, 6)]
    assert store.put_batch("Docs", rows, timeout_s=TIMEOUT_S) == {}
    assert store.count("Docs") == 5
    own_server.kill()
    assert not store.alive()
    for read in (lambda: store.read("Docs", [an_id(1)]), lambda: store.count("Docs")):
        with pytest.raises(Retryable):
            read()
    own_server.start()
    started = time.monotonic()
    wait_until(lambda: _counts(store), awaited="gRPC to reconnect", deadline_s=10)
    assert time.monotonic() - started < 5
    assert len(store.read("Docs", [an_id(n) for n in range(1, 8)])) == 5


def _counts(store: WeaviateStore) -> bool:
    try:
        return store.count("Docs") == 5
    except Retryable:
        return False


def test_the_first_search_after_an_outage_is_answered(weaviate_server: WeaviateServer, collection: str) -> None:
    """A channel on which every call failed at once is polled every 5 s only; whoever waits on it sees the server at once."""
    with Proxies() as proxies:
        grpc = proxies.open("grpc", "127.0.0.1", weaviate_server.grpc_port)
        store = WeaviateStore(weaviate_server.http_url, grpc.address)
        try:
            assert store.count(collection) == 0
            grpc.strike("cut")
            end = time.monotonic() + 4
            while time.monotonic() < end:
                with pytest.raises(Retryable):
                    store.count(collection)
            grpc.lift()
            assert store.count(collection) == 0
        finally:
            store.close()


def test_a_server_that_loads_its_collections_says_404_for_what_it_has(own_server: WeaviateServer) -> None:
    """Why a 404 counts only from a server that has said that it is ready. The schema is there before the objects are."""
    names = [f"Many{number}" for number in range(40)]
    with httpx.Client(base_url=own_server.http_url, timeout=TIMEOUT_S, trust_env=False) as http:
        for name in names:
            http.post("/v1/schema", json={"class": name, "vectorizer": "none"}).raise_for_status()
            http.post("/v1/objects", json={"class": name, "id": an_id(1), "vector": [1.0, 2.0]}).raise_for_status()
    own_server.kill()
    starting = threading.Thread(target=own_server.start)
    starting.start()
    seen, ready = [], False
    paths = (f"/v1/objects/{names[-1]}/{an_id(1)}", f"/v1/schema/{names[-1]}")
    with httpx.Client(base_url=own_server.http_url, timeout=TIMEOUT_S, trust_env=False) as http:
        while not ready:
            with contextlib.suppress(httpx.TransportError):
                ready = http.get("/v1/.well-known/ready").is_success
                seen.append((ready, *(http.get(path).status_code for path in paths)))
    starting.join()
    assert (True, 200, 200) in seen
    assert (True, 404, 200) not in seen


def test_what_one_grpc_message_cannot_hold_is_read_and_written_in_parts(
    own_server: WeaviateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 MB is the server's limit in both directions, and 250 objects of half a megabyte are more."""
    store = WeaviateStore(own_server.http_url, own_server.grpc_address, timeout_s=4 * TIMEOUT_S)
    store.create({"class": "Docs", "vectorizer": "none", "properties": [{"name": "picture", "dataType": ["blob"]}]})
    keys = [an_id(number) for number in range(1, 251)]
    blob = base64.b64encode(bytes(range(256)) * 1_650).decode()
    many = [StoredObject(key, {"picture": blob}, {UNNAMED: [1.0, 2.0]}) for key in keys]
    assert sum(map(size_bytes, many)) > 1.3 * 104_858_000
    assert store.put_batch("Docs", many, timeout_s=4 * TIMEOUT_S) == {}
    found = store.read("Docs", keys)
    assert found.keys() == set(keys)
    assert all(obj.properties["picture"] == blob for obj in found.values())
    assert store.page("Docs", after="", until=LAST, limit=250).objects == found

    def too_large(*given: Any, **named: Any) -> Any:
        raise AnswerTooLarge("larger than max")

    monkeypatch.setattr(Calls, "grpc", too_large)
    assert store.read("Docs", keys[:3]).keys() == set(keys[:3]), "by REST, which has no limit"
    store.close()


def test_of_halves_of_which_one_was_sent_nobody_says_that_nothing_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    store, sent = WeaviateStore("http://127.0.0.1:9", "127.0.0.1:9"), []

    def refused(self: Any, message: Any, where: str, deadline: Any) -> dict[str, str]:
        sent.append([obj.uuid for obj in message.objects])
        if len(sent) == 2:
            return {}
        raise (MessageTooLarge if len(sent) == 1 else NotWritten)("not this", where=where)

    monkeypatch.setattr(Writing, "_batch_by_grpc", refused)
    objects = [StoredObject(an_id(number), {}, {UNNAMED: [1.0]}) for number in range(1, 8)]
    with pytest.raises(UnknownOutcome, match="3 of 7 objects were sent before"):
        store.put_batch("Docs", objects, timeout_s=TIMEOUT_S)
    assert [len(each) for each in sent] == [7, 3, 4]
    store.close()


def test_a_restart_is_another_incarnation_and_nothing_else_is(own_server: WeaviateServer) -> None:
    store = WeaviateStore(own_server.http_url, own_server.grpc_address)
    seen = list(store.incarnations().values())
    store.create({"class": "Docs", "vectorizer": "none"})
    store.put("Docs", StoredObject(an_id(1), {}), timeout_s=TIMEOUT_S)
    assert list(store.incarnations().values()) == seen
    assert len(seen) == 1
    for _ in range(2):
        own_server.kill()
        own_server.start()
        seen += store.incarnations().values()
    assert len(set(seen)) == 3
    store.close()


def test_a_frozen_server_writes_when_it_wakes(own_server: WeaviateServer) -> None:
    """May write: it drops what it sees to be given up in time, so one write of several is enough to be afraid of."""
    store = WeaviateStore(own_server.http_url, own_server.grpc_address, timeout_s=1)
    store.create({"class": "Docs", "vectorizer": "none"})
    store.put("Docs", StoredObject(an_id(1), {}), timeout_s=TIMEOUT_S)
    given_up = [an_id(number) for number in range(2, 12)]
    own_server.freeze()
    try:
        for key in given_up:
            started = time.monotonic()
            with pytest.raises(UnknownOutcome):
                store.put("Docs", StoredObject(key, {}), timeout_s=0.5)
            assert time.monotonic() - started < 2
        assert not store.alive()
    finally:
        own_server.resume()
    wait_until(lambda: any(key in _read(store, key) for key in given_up), awaited="a ghost", deadline_s=15)


def _read(store: WeaviateStore, key: str) -> dict[str, StoredObject]:
    try:
        return store.read("Docs", [key])
    except Retryable:
        return {}


def test_read_only_does_not_outlive_a_restart(own_server: WeaviateServer) -> None:
    """Who closes a collection for good needs more than this: the description, which says where it moved, stays."""
    store = WeaviateStore(own_server.http_url, own_server.grpc_address)
    store.create({"class": "Docs", "vectorizer": "none"})
    store.put("Docs", StoredObject(an_id(1), {}), timeout_s=TIMEOUT_S)
    store.set_description("Docs", "moved")
    store.set_read_only("Docs", True)
    assert set(store.shards("Docs").values()) == {"READONLY"}
    own_server.restart()
    wait_until(lambda: store.alive(), awaited="a healthy server", deadline_s=30)
    assert set(store.shards("Docs").values()) == {"READY"}
    assert store.schema("Docs")["description"] == "moved"
