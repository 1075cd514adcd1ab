"""What keeps writers out of the old collection on a real server, and what becomes of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.support.carried import retired, serving
from tests.support.memory_world import LIVE_SCHEMA, OLD, World, fill, key_of, make_world
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.routing import Arm
from vecferry.errors import ModelGone, NotFound, NotWritten
from vecferry.sandbox.wait_until import wait_until
from vecferry.sandbox.weaviate_server import WeaviateServer
from vecferry.steps import doctor, drop_old, force_100, live_model_gone, stage_runner, verify_parity

TIMEOUT_S = 20.0
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def own_server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[WeaviateServer]:
    with WeaviateServer(tmp_path / "data", **getattr(request, "param", {})) as server:
        yield server


@pytest.fixture
def real_store(own_server: WeaviateServer) -> Iterator[WeaviateStore]:
    store = WeaviateStore(own_server.http_url, own_server.grpc_address)
    yield store
    store.close()


@pytest.fixture
def world(real_store: WeaviateStore) -> World:
    """The fakes' world, with its objects in a real server."""
    made = make_world(0)
    real_store.create(LIVE_SCHEMA)
    fill(real_store, made.embedders, 20)  # type: ignore[arg-type]
    return replace(made, store=real_store, ports=replace(made.ports, store=real_store))  # type: ignore[arg-type]


def test_nothing_writes_the_old_collection_and_a_restart_of_the_server_is_noticed_and_mended(
    world: World, real_store: WeaviateStore, own_server: WeaviateServer
) -> None:
    migration_id = retired(world)
    shadow = world.ledger.migration(migration_id).spec.shadow
    _nobody_can_write(real_store)
    assert _left_behind(world).result == "ok"
    own_server.restart()
    wait_until(real_store.alive, awaited="a healthy server", deadline_s=60)
    assert set(real_store.shards("Docs").values()) == {"READY"}, "the fact that this is about"
    with world.router() as router:  # what then keeps routers away is the ledger: they know where the truth is
        router.put(key_of("later"), {"body": "after the restart"})
        assert router.search("after the restart", key="u")[0].uuid == key_of("later")
    assert real_store.read("Docs", [key_of("later")]) == {}
    assert f"moved to {shadow}" in real_store.schema("Docs")["description"]
    finding = _left_behind(world)
    assert (finding.result, "can be written" in finding.what) == ("problem", True)
    assert "vecferry step retire Docs" in finding.next_action
    stage_runner.act("retire", world.ports, migration_id)
    _nobody_can_write(real_store)
    assert _left_behind(world).result == "ok"


def test_the_old_collection_is_dropped_read_only_as_it_is_and_a_late_write_brings_nothing_back(
    world: World, real_store: WeaviateStore
) -> None:
    migration_id = retired(world)
    drop_old.act(world.ports, migration_id, who="tess", why="nobody needs it", now=True)
    assert real_store.collections() == [world.ledger.migration(migration_id).spec.shadow]
    with pytest.raises(NotFound):
        real_store.put("Docs", _an_object(), timeout_s=TIMEOUT_S)
    assert "Docs" not in real_store.collections()


def test_live_takes_objects_without_a_vector_once_its_model_is_gone_and_the_shadow_has_all_of_them(
    world: World, real_store: WeaviateStore
) -> None:
    migration_id = serving(world, 25)
    shadow = world.ledger.migration(migration_id).spec.shadow
    router = world.router()
    world.embedders[OLD.model].before = _gone
    live_model_gone.act(world.ports, migration_id, who="tess", why="it ended")
    router.refresh()
    router.put(key_of("put"), {"body": "copper put"})
    router.put(key_of(1), {"body": "copper over one with a vector"})
    router.put_many([(key_of("many"), {"body": "copper many"})])
    router.update(key_of(2), {"body": "copper merged"})
    while router._queue.run_once():
        pass
    keys = [key_of(name) for name in ("put", 1, "many", 2)]
    live, copies = real_store.read("Docs", keys), real_store.read(shadow, keys)
    assert {key: obj.properties["body"] for key, obj in live.items()} == {k: o.properties["body"] for k, o in copies.items()}
    assert [bool(live[key].vectors.get(UNNAMED)) for key in keys] == [False, False, False, True], "a merge takes none away"
    assert all(copies[key].vectors[UNNAMED] for key in keys)
    for text, key in (("copper put", keys[0]), ("copper over one with a vector", keys[1]), ("copper merged", keys[3])):
        hits = router.search(text, key="u")
        assert (hits[0].uuid, hits.arm) == (key, Arm.SHADOW)
    force_100.act(world.ports, migration_id, who="tess", why="it ended")
    world.clock.sleep(0.5)
    verify_parity.act(world.ports, migration_id)
    assert stage_runner.act("retire", world.ports, migration_id)["collection"] == shadow
    assert real_store.count(shadow) == 22


@pytest.mark.parametrize(
    ("own_server", "on"),
    [({"env": {"AUTOSCHEMA_ENABLED": "true"}}, True), ({"env": {"AUTOSCHEMA_ENABLED": "false"}}, False)],
    indirect=["own_server"],
)
def test_whether_the_server_makes_collections_by_itself_is_found_out_and_nothing_is_made(
    own_server: WeaviateServer, real_store: WeaviateStore, on: bool
) -> None:
    real_store.create({"class": "Docs", "vectorizer": "none"})
    assert real_store.auto_schema("Docs") is on
    assert real_store.collections() == ["Docs"]
    body = {"class": "Docs_gone", "id": str(uuid.uuid4()), "properties": {"title": "late"}}
    with httpx.Client(base_url=own_server.http_url, trust_env=False, timeout=TIMEOUT_S) as client:
        client.post("/v1/batch/objects", json={"objects": [body]})
    assert ("Docs_gone" in real_store.collections()) is on, "what it said is what the server does"


def _gone(method: str, texts: object) -> None:
    raise ModelGone("the provider does not know the model", where=OLD.model, next_action="Move on.")


def _an_object() -> StoredObject:
    return StoredObject(key_of("late"), {"body": "late"}, {UNNAMED: [1.0] + [0.0] * 63})


def _nobody_can_write(store: WeaviateStore) -> None:
    late = _an_object()
    for write in (
        lambda: store.put("Docs", late, timeout_s=TIMEOUT_S),
        lambda: store.merge("Docs", replace(late, uuid=key_of(1), vectors={}), timeout_s=TIMEOUT_S),
        lambda: store.delete("Docs", key_of(1), timeout_s=TIMEOUT_S),
    ):
        with pytest.raises(NotWritten):
            write()
    store.put_batch("Docs", [late, replace(late, uuid=key_of("late too"))], timeout_s=TIMEOUT_S)  # its answer is a lie (2a)
    assert set(store.read("Docs", [key_of("late"), key_of("late too"), key_of(1)])) == {key_of(1)}


def _left_behind(world: World) -> doctor.Finding:
    (found,) = [f for f in doctor.look_over(world.ports, world.ledger.pin("Docs")) if f.looked_at == "old collection Docs"]
    return found
