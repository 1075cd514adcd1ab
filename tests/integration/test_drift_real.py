"""Rule 13 on a real Weaviate: a property and a tenant that are new in live, and a tenant that is gone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.memory_world import LIVE_SCHEMA, OLD, World, key_of, make_world, request
from vecferry.adapters.memory.embedder import vector_of
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.errors import Paused
from vecferry.sandbox.weaviate_server import WeaviateServer
from vecferry.steps import stage_runner

TENANTS = {"acme": "ACTIVE", "gone": "ACTIVE"}
pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def world(weaviate_server: WeaviateServer) -> Iterator[World]:
    live = f"Drift{uuid.uuid4().hex[:8]}"
    made = make_world(0)
    store = WeaviateStore(weaviate_server.http_url, weaviate_server.grpc_address)
    schema = {key: value for key, value in LIVE_SCHEMA.items() if key != "shardingConfig"}
    store.create(schema | {"class": live, "multiTenancyConfig": {"enabled": True}})
    store.add_tenants(live, TENANTS)
    made.ledger.save_pin(Pin("Docs", live, OLD.space, TextRecipe(("body",))), who="test", why="test")
    yield replace(made, store=store, ports=replace(made.ports, store=store))  # type: ignore[arg-type]
    for collection in (live, *(migration.spec.shadow for migration in made.ledger.migrations("Docs"))):
        store.drop(collection)
    store.close()


def write(world: World, name: str, tenant: str, **properties: str) -> None:
    body = f"stone {name}"
    obj = StoredObject(key_of(name), {"body": body, **properties}, {UNNAMED: vector_of(OLD.space, body)}, tenant)
    world.store.put(world.ledger.pin("Docs").collection, obj, timeout_s=10)


def validated(world: World) -> str:
    for name, tenant in (("a", "acme"), ("b", "acme"), ("c", "gone")):
        write(world, name, tenant)
    migration_id = str(stage_runner.act("plan", world.ports, request())["migration_id"])
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.DUAL_WRITING)
    stage_runner.act("backfill", world.ports, migration_id)
    world.walk_to(migration_id, Phase.BACKFILLED)
    stage_runner.act("verify_parity", world.ports, migration_id)
    world.walk_to(migration_id, Phase.VALIDATED)
    return migration_id


def test_a_gate_follows_a_property_and_tenants(world: World) -> None:
    migration_id = validated(world)
    spec = world.ledger.migration(migration_id).spec
    world.store.add_property(spec.live, {"name": "note", "dataType": ["text"], "tokenization": "field"})
    world.store.add_tenants(spec.live, {"late": "ACTIVE"})
    write(world, "a", "acme", note="new")
    write(world, "l", "late", note="newer")
    world.store.remove_tenants(spec.live, ["gone"])
    stage_runner.act("cut_over_5", world.ports, migration_id)
    declared = {prop["name"]: prop for prop in world.store.schema(spec.shadow)["properties"]}
    assert declared["note"]["tokenization"] == "field"
    assert set(world.store.tenants(spec.shadow)) == {"acme", "late"}
    for name, tenant, note in (("a", "acme", "new"), ("l", "late", "newer")):
        stored = world.store.read(spec.shadow, [key_of(name)], tenant=tenant)[key_of(name)]
        assert stored.properties["note"] == note
    assert world.ledger.snapshot("Docs").routing.percent == 5
    noted = str(world.store.schema(spec.shadow)["description"])
    assert f"[vecferry {migration_id}: ledger at {world.ledger.snapshot('Docs').routing.version} of " in noted


def test_a_setting_that_was_changed_in_place_pauses(world: World) -> None:
    migration_id = validated(world)
    spec = world.ledger.migration(migration_id).spec
    schema = world.store.schema(spec.live)
    schema["invertedIndexConfig"]["bm25"] = {"b": 0.3, "k1": 1.1}
    store = world.store
    assert isinstance(store, WeaviateStore)
    store._schema._tell("PUT", f"/v1/schema/{spec.live}", schema, where=spec.live)
    with pytest.raises(Paused, match=r"invertedIndexConfig.bm25.b \(live 0.3"):
        stage_runner.act("cut_over_5", world.ports, migration_id)
    assert world.ledger.migration(migration_id).paused
