"""Every kind of collection that 1.39 knows, copied on a real server and compared key by key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.domain.objects import STAMPS, UNNAMED
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.schema import made_by_server, planned_changes, refusals, schema_differences, shadow_schema, vector_names
from vecferry.domain.shadow import ShadowSpec
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.sandbox.weaviate_server import WeaviateServer

pytestmark = pytest.mark.timeout(300)
Schema = dict[str, Any]
BODY = {"name": "body", "dataType": ["text"]}
DIMENSIONS = 8


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, WeaviateStore]]:
    """``plain`` knows every index and expiry; ``quantising`` compresses whatever does not say that it must not be."""
    able = {"ASYNC_INDEXING": "true", "OBJECTS_TTL_DELETE_SCHEDULE": "@every 1h", "OBJECTS_TTL_ALLOW_SECONDS": "true"}
    folder = tmp_path_factory.mktemp("schemas")
    with (
        WeaviateServer(folder / "plain", env=able) as plain,
        WeaviateServer(folder / "quantising", env=able | {"DEFAULT_QUANTIZATION": "rq-8"}) as quantising,
    ):
        servers = {"plain": plain, "quantising": quantising}
        made = {name: WeaviateStore(server.http_url, server.grpc_address) for name, server in servers.items()}
        yield made
        for store in made.values():
            store.close()


@dataclass(frozen=True)
class Case:
    """``asked``: settings of the live collection by their dotted names, which its copy must have too."""

    schema: Schema
    asked: dict[str, Any]
    distance: str = "cosine"


def legacy(index: str = "hnsw", **settings: Any) -> Schema:
    return {"vectorizer": "none", "vectorIndexType": index, "vectorIndexConfig": settings, "properties": [BODY]}


def named(**vectors: tuple[str, Schema]) -> Schema:
    parts = {
        name: {"vectorizer": {"none": {}}, "vectorIndexType": i, "vectorIndexConfig": c} for name, (i, c) in vectors.items()
    }
    return {"properties": [BODY], "vectorConfig": parts}


def index_case(index: str = "hnsw", /, distance: str = "cosine", **settings: Any) -> Case:
    asked = {f"vectorIndexConfig.{name}": value for name, value in flat(settings | {"distance": distance}).items()}
    return Case(legacy(index, distance=distance, **settings), asked | {"vectorIndexType": index}, distance)


def class_case(**settings: Any) -> Case:
    asked = {name: value for name, value in flat(settings).items() if not name.startswith("properties")}
    return Case(legacy() | settings, asked)


def flat(value: Schema, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in value.items():
        found |= flat(item, f"{prefix}{key}.") if isinstance(item, dict) else {f"{prefix}{key}": item}
    return found


TUNED = {
    **{"ef": 77, "maxConnections": 12, "efConstruction": 99, "dynamicEfMin": 11, "dynamicEfMax": 55, "dynamicEfFactor": 3},
    **{"vectorCacheMaxObjects": 5000, "flatSearchCutoff": 123, "cleanupIntervalSeconds": 7, "filterStrategy": "sweeping"},
}
PQ = {
    "enabled": True,
    "segments": 4,
    "centroids": 128,
    "trainingLimit": 5000,
    "encoder": {"type": "tile", "distribution": "normal"},
}
INVERTED = {
    "bm25": {"b": 0.3, "k1": 1.7},
    "stopwords": {"preset": "en", "additions": ["foo"], "removals": ["the"]},
    **{"indexNullState": True, "indexPropertyLength": True, "indexTimestamps": True, "cleanupIntervalSeconds": 17},
}
NESTED = [
    {"name": "n", "dataType": ["text"], "tokenization": "field", "indexFilterable": False, "description": "inner"},
    {"name": "many", "dataType": ["object[]"], "nestedProperties": [{"name": "z", "dataType": ["date[]"]}]},
]
PROPERTIES = [
    BODY,
    {"name": "a", "dataType": ["text"], "tokenization": "trigram", "indexSearchable": False, "description": "x"},
    {"name": "b", "dataType": ["int"], "indexRangeFilters": True},
    {"name": "c", "dataType": ["text"], "indexFilterable": False, "tokenization": "whitespace"},
    {"name": "folded", "dataType": ["text"], "textAnalyzer": {"asciiFold": True}},
    {"name": "o", "dataType": ["object"], "nestedProperties": NESTED},
]
EXPIRY = {"enabled": True, "deleteOn": "expires", "defaultTtl": 86400, "filterExpiredObjects": True}
CASES = {
    "cosine": index_case(distance="cosine"),
    "dot": index_case(distance="dot"),
    "l2-squared": index_case(distance="l2-squared"),
    "hnsw tuned": index_case(distance="dot", **TUNED),
    "flat": index_case("flat", vectorCacheMaxObjects=77),
    "flat bq": index_case("flat", bq={"enabled": True, "rescoreLimit": 55, "cache": True}),
    "flat rq": index_case("flat", rq={"enabled": True, "rescoreLimit": 55, "bits": 1}),
    "dynamic": index_case("dynamic", distance="l2-squared", threshold=1234),
    "dynamic, both compressed": index_case(
        "dynamic",
        threshold=1234,
        hnsw={"distance": "cosine", "ef": 33, "rq": {"enabled": True}},
        flat={"distance": "cosine", "bq": {"enabled": True}},
    ),
    "hfresh": index_case("hfresh", searchProbe=17, maxPostingSizeKB=64),
    "pq": index_case(pq=PQ),
    "bq": index_case(bq={"enabled": True}),
    "sq": index_case(distance="dot", sq={"enabled": True, "trainingLimit": 7000, "rescoreLimit": 33}),
    "rq of 8 bits": index_case(rq={"enabled": True, "bits": 8, "rescoreLimit": 44}),
    "rq of 4 bits": index_case(rq={"enabled": True, "bits": 4}),
    "rq of 1 bit": index_case(rq={"enabled": True, "bits": 1}),
    "named vectors": Case(
        named(
            main=("hnsw", {"distance": "dot", "ef": 55}),
            flat=("flat", {"distance": "l2-squared", "bq": {"enabled": True}}),
            dynamic=("dynamic", {"distance": "cosine"}),
            bits=("hnsw", {"distance": "dot", "rq": {"enabled": True, "bits": 1}}),
        ),
        {
            "vectorConfig.main.vectorIndexConfig.ef": 55,
            "vectorConfig.flat.vectorIndexConfig.bq.enabled": True,
            "vectorConfig.flat.vectorIndexConfig.distance": "l2-squared",
            "vectorConfig.dynamic.vectorIndexType": "dynamic",
            "vectorConfig.bits.vectorIndexConfig.rq.bits": 1,
            "vectorConfig.main.vectorIndexConfig.distance": "dot",
            "vectorConfig.bits.vectorIndexConfig.distance": "dot",
        },
        "dot",
    ),
    "inverted index": class_case(invertedIndexConfig=INVERTED),
    "stop word presets": class_case(invertedIndexConfig={"stopwordPresets": {"mine": ["a", "b"]}}),
    "properties, nested ones too": class_case(description="d", properties=PROPERTIES),
    "three shards": class_case(shardingConfig={"desiredCount": 3, "virtualPerPhysical": 64}),
    "replication": class_case(replicationConfig={"factor": 1, "deletionStrategy": "TimeBasedResolution"}),
    "replication, repaired in the background": class_case(replicationConfig={"factor": 1, "asyncConfig": {"frequency": 31000}}),
    "tenants, no flag": class_case(multiTenancyConfig={"enabled": True}),
    "tenants, all flags": class_case(
        multiTenancyConfig={"enabled": True, "autoTenantCreation": True, "autoTenantActivation": True}
    ),
    "expiry": class_case(properties=[BODY, {"name": "expires", "dataType": ["date"]}], objectTtlConfig=EXPIRY),
}
FREE = {"class", "distance", "skipDefaultQuantization", "trackDefaultQuantization", "autoTenantActivation"}
CHANGED_FOR_A_REASON = {"description", "multiTenancyConfig.autoTenantActivation"}


def copied(store: WeaviateStore, schema: Schema, distance: str) -> tuple[Schema, Schema, ShadowSpec]:
    """(live, shadow, spec), as the server has them."""
    live = f"L{uuid4().hex[:12]}"
    store.create(schema | {"class": live})
    before = store.schema(live)
    migrated, *carried = sorted(vector_names(before), key=lambda name: name != "main")
    space = EmbeddingSpace("test", "m", DIMENSIONS, distance=distance)
    spec = ShadowSpec(live, f"S{live[1:]}", TextRecipe(("body",)), space, vector_name=migrated, carried=tuple(carried))
    try:
        assert refusals(before) == []
        store.create(shadow_schema(before, spec))
        return before, store.schema(spec.shadow), spec
    finally:
        store.drop(live)
        store.drop(spec.shadow)


@pytest.mark.parametrize("server", ["plain", "quantising"])
@pytest.mark.parametrize("name", CASES)
def test_a_schema_is_copied_to_the_last_flag(stores: dict[str, WeaviateStore], name: str, server: str) -> None:
    case = CASES[name]
    live, shadow, spec = copied(stores[server], case.schema, case.distance)
    rows = {row["setting"]: row for row in schema_differences(live, shadow, spec)}
    assert [row for row in rows.values() if not row["allowed"]] == []
    for setting, value in case.asked.items():
        assert rows[setting]["live"] == value, "the live collection is not the case"
        if setting not in CHANGED_FOR_A_REASON:
            assert rows[setting]["shadow"] == value
    own = {name for name, row in rows.items() if row["live"] != row["shadow"] and not name.startswith("properties.embed")}
    assert {name.rpartition(".")[2] for name in own} <= FREE
    assert all(rows[name]["why"] for name in own)
    assert all(row["allowed"] and row["why"] for row in made_by_server(live, shadow, spec))


def test_only_the_migrated_vector_takes_the_new_schema_settings(stores: dict[str, WeaviateStore]) -> None:
    schema = named(main=("hnsw", {"distance": "dot", "pq": PQ | {"segments": 3}}), other=("hnsw", {"distance": "dot"}))
    live, shadow, spec = copied(stores["plain"], schema, "cosine")
    changes = {row["setting"]: (row["live"], row["shadow"]) for row in planned_changes(live, spec)}
    index = "vectorIndexConfig"
    assert changes == {
        "class": (spec.live, spec.shadow),
        f"vectorConfig.main.{index}.distance": ("dot", "cosine"),
        f"vectorConfig.main.{index}.pq.segments": (3, 0),
        f"vectorConfig.other.{index}.skipDefaultQuantization": (False, True),
        **{f"properties.{stamp}": (None, "text") for stamp in STAMPS},
    }
    assert shadow["vectorConfig"]["other"][index]["distance"] == "dot"
    assert made_by_server(live, shadow, spec) == [] or all(row["allowed"] for row in made_by_server(live, shadow, spec))


def test_a_schema_whose_quantisation_the_server_chose_is_copied_with_it(stores: dict[str, WeaviateStore]) -> None:
    live, shadow, _ = copied(stores["quantising"], legacy(distance="cosine"), "cosine")
    assert live["vectorIndexConfig"]["rq"]["enabled"] is True
    assert shadow["vectorIndexConfig"]["rq"] == live["vectorIndexConfig"]["rq"]


def test_a_schema_that_was_never_quantised_stays_so_where_the_server_would(stores: dict[str, WeaviateStore]) -> None:
    schema = named(
        main=("hnsw", {"distance": "dot", "skipDefaultQuantization": True}),
        other=("hnsw", {"distance": "dot", "skipDefaultQuantization": True}),
    )
    live = copied(stores["plain"], named(main=("hnsw", {}), other=("hnsw", {})), "cosine")[0]
    _, shadow, _ = copied(stores["quantising"], schema, "cosine")
    for name in ("main", "other"):
        assert not live["vectorConfig"][name]["vectorIndexConfig"]["rq"]["enabled"]
        assert not shadow["vectorConfig"][name]["vectorIndexConfig"]["rq"]["enabled"]


def test_a_setting_that_the_shadow_does_not_have_is_a_schema_difference(stores: dict[str, WeaviateStore]) -> None:
    live, shadow, spec = copied(stores["plain"], CASES["inverted index"].schema, "cosine")
    shadow["invertedIndexConfig"]["bm25"]["k1"] = 1.2
    shadow["properties"][0]["tokenization"] = "field"
    wrong = {row["setting"] for row in made_by_server(live, shadow, spec) if not row["allowed"]}
    assert wrong == {"invertedIndexConfig.bm25.k1", f"properties.{shadow['properties'][0]['name']}.tokenization"}
    assert spec.vector_name == UNNAMED
