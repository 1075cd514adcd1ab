"""Copies of objects, through backfill's own turn, compared with their originals as raw REST JSON: not by any client's view."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.contract.test_store_round_trip import CONTENTS, TYPES, prop
from tests.support.memory_world import OLD, make_world, request
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import STAMPS, StoredObject
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.sandbox.weaviate_server import WeaviateServer
from vecferry.steps import stage_runner

pytestmark = pytest.mark.timeout(240)
MOST = 2**63 - 1
EXTREMES: list[dict[str, Any]] = [
    {"int": MOST, "ints": [MOST, -(2**63), 0], "outer": {"int": MOST, "inner": {"ints": [MOST]}}},
    {"int": -(2**63), "number": 2.0**63, "numbers": [2.0**63, -(2.0**63)]},
    {"outer": {"text": None, "inner": {"int": None}}, "outers": [{"text": None}, {}]},
    {"date": "2024-02-03T04:05:06.999999999-07:30", "dates": ["2024-02-03T04:05:06.1+14:00"]},
]


def raw(server: WeaviateServer, collection: str, uuid: str) -> dict[str, Any]:
    answer = httpx.get(f"{server.http_url}/v1/objects/{collection}/{uuid}?include=vector", trust_env=False, timeout=30)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def test_a_roundtrip_changes_no_digit_and_no_reference(weaviate_server: WeaviateServer) -> None:
    made = make_world(0)
    store = WeaviateStore(weaviate_server.http_url, weaviate_server.grpc_address)
    world: Any = replace(made, store=store, ports=replace(made.ports, store=store))  # type: ignore[arg-type]
    target, live = f"R{uuid4().hex[:12]}", f"L{uuid4().hex[:12]}"
    none = {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw"}
    store.create({"class": target, "vectorizer": "none", "properties": [prop("text", "text")]})
    store.create({"class": live, "properties": [*TYPES, prop("to", target)], "vectorConfig": {"main": none, "other": none}})
    there, gone = str(uuid4()), str(uuid4())
    store.put_batch(target, [StoredObject(uuid, {"text": "x"}) for uuid in (there, gone)], timeout_s=30)
    beacons = [{"beacon": f"weaviate://localhost/{target}/{uuid}"} for uuid in (there, gone, there)]
    contents = [*CONTENTS, *EXTREMES, {"text": "refers", "to": beacons}, {"text": "to nobody", "to": []}]
    ids = [str(UUID(int=n + 1)) for n in range(len(contents))]
    vectors = {"main": [0.1] * OLD.dimensions, "other": [1 / 3, 1e-8, 12345.678]}
    objects = [StoredObject(uuid, content, vectors) for uuid, content in zip(ids, contents, strict=True)]
    assert store.put_batch(live, objects, timeout_s=30) == {}
    store.delete(target, gone, timeout_s=30)
    pin = Pin("Docs", live, OLD.space, TextRecipe(("text",)), vector_name="main")
    world.ledger.save_pin(pin, who="test", why="test")
    migration_id = str(stage_runner.act("plan", world.ports, request())["migration_id"])
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.DUAL_WRITING)
    stage_runner.act("backfill", world.ports, migration_id)
    shadow = world.ledger.migration(migration_id).spec.shadow
    try:
        for uuid in ids:
            before, after = raw(weaviate_server, live, uuid), raw(weaviate_server, shadow, uuid)
            properties = {name: value for name, value in after["properties"].items() if name not in STAMPS}
            assert properties == before["properties"]
            assert after["vectors"]["other"] == before["vectors"]["other"]
        assert raw(weaviate_server, shadow, ids[len(CONTENTS)])["properties"]["int"] == 9223372036854776000
        beacons_of = raw(weaviate_server, shadow, ids[-2])["properties"]["to"]
        assert [item["beacon"].rpartition("/")[2] for item in beacons_of] == [there, gone, there]
    finally:
        for collection in (live, shadow, target):
            store.drop(collection)
        store.close()
