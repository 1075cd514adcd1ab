"""The shadow's schema, decided from literals."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from vecferry.domain.objects import STAMPS, UNNAMED
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.schema import refusals, schema_differences, shadow_schema
from vecferry.domain.shadow import ShadowSpec
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.errors import BadInput

INDEX: dict[str, Any] = {
    "distance": "cosine",
    "ef": -1,
    "pq": {"enabled": False, "segments": 0},
    "rq": {"enabled": False, "bits": 8},
    "skip": False,
    "skipDefaultQuantization": False,
    "trackDefaultQuantization": False,
    "multivector": {"enabled": False},
}
LEGACY: dict[str, Any] = {
    "class": "Docs",
    "description": "the docs",
    "properties": [
        {"name": "title", "dataType": ["text"], "tokenization": "word", "indexFilterable": True},
        {"name": "made", "dataType": ["object"], "nestedProperties": [{"name": "by", "dataType": ["text"]}]},
    ],
    "invertedIndexConfig": {"bm25": {"b": 0.75}, "stopwords": {"additions": None, "preset": "en"}},
    "multiTenancyConfig": {"enabled": False},
    "shardingConfig": {"desiredCount": 3},
    "vectorIndexConfig": INDEX,
    "vectorIndexType": "hnsw",
    "vectorizer": "none",
}
NONE = {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw", "vectorIndexConfig": INDEX}
UNQUANTISED = NONE | {"vectorIndexConfig": INDEX | {"skipDefaultQuantization": True}}
NAMED = {k: v for k, v in LEGACY.items() if not k.startswith("vector")} | {"vectorConfig": {"main": NONE, "other": NONE}}


def spec(dimensions: int = 768, **changed: Any) -> ShadowSpec:
    space = EmbeddingSpace("openai", "new", dimensions, distance="dot")
    return ShadowSpec("Docs", "Docs_2", TextRecipe(("title",)), space, **changed)


def named_spec() -> ShadowSpec:
    return spec(vector_name="main", carried=("other",))


def changed(schema: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(json.dumps(schema))
    *parents, last = path.split(".")
    part = result
    for name in parents:
        part = part.setdefault(name, {})
    part[last] = value
    return result


def refused(live: dict[str, Any], shadow: dict[str, Any], wanted: ShadowSpec | None = None) -> list[str]:
    return [row["setting"] for row in schema_differences(live, shadow, wanted or spec()) if not row["allowed"]]


def test_a_shadow_is_a_copy_but_for_name_distance_and_stamps() -> None:
    shadow = shadow_schema(LEGACY, spec())
    assert shadow["class"] == "Docs_2"
    assert shadow["vectorIndexConfig"] == INDEX | {"distance": "dot", "skipDefaultQuantization": True}
    assert shadow["properties"][:2] == LEGACY["properties"]
    assert [p["name"] for p in shadow["properties"][2:]] == list(STAMPS)
    for name in ("description", "invertedIndexConfig", "shardingConfig", "multiTenancyConfig", "vectorizer"):
        assert shadow[name] == LEGACY[name]


def test_stamps_can_be_filtered_exactly_and_are_not_searched() -> None:
    stamps = shadow_schema(LEGACY, spec())["properties"][2:]
    for stamp in stamps:
        assert (stamp["dataType"], stamp["tokenization"]) == (["text"], "field")
        assert (stamp["indexFilterable"], stamp["indexSearchable"]) == (True, False)


def test_the_live_schema_is_left_alone() -> None:
    before = copy.deepcopy(LEGACY)
    shadow_schema(LEGACY, spec())["properties"][0]["tokenization"] = "field"
    assert before == LEGACY


def test_only_the_migrated_vector_of_several_is_changed() -> None:
    vectors = shadow_schema(NAMED, named_spec())["vectorConfig"]
    assert vectors["other"] == UNQUANTISED
    assert vectors["main"]["vectorIndexConfig"]["distance"] == "dot"
    assert vectors["main"]["vectorizer"] == {"none": {}}


def test_a_vectorizer_elsewhere_leaves_the_stamps_alone() -> None:
    live = changed(NAMED, "vectorConfig.other.vectorizer", {"text2vec-openai": {"model": "x"}})
    stamp = shadow_schema(live, named_spec())["properties"][-1]
    assert stamp["moduleConfig"] == {"text2vec-openai": {"skip": True, "vectorizePropertyName": False}}


def test_the_sharding_of_tenants_is_left_to_the_server() -> None:
    live = changed(LEGACY, "multiTenancyConfig.enabled", True)
    shadow = shadow_schema(live, spec())
    assert "shardingConfig" not in shadow
    assert refused(live, shadow | {"shardingConfig": {"desiredCount": 0}}) == []


def test_a_description_can_say_whose_the_shadow_is() -> None:
    shadow = shadow_schema(LEGACY, spec(), description="shadow of Docs")
    assert shadow["description"] == "shadow of Docs"
    assert refused(LEGACY, shadow) == []


@pytest.mark.parametrize(("dimensions", "segments"), [(768, 96), (1000, 0)])
def test_quantiser_segments_divide_the_new_dimensions(dimensions: int, segments: int) -> None:
    live = changed(LEGACY, "vectorIndexConfig.pq", {"enabled": True, "segments": 96})
    shadow = shadow_schema(live, spec(dimensions))
    assert shadow["vectorIndexConfig"]["pq"] == {"enabled": True, "segments": segments}
    assert shadow["vectorIndexConfig"]["skipDefaultQuantization"] is False
    assert refused(live, shadow, spec(dimensions)) == []


def test_a_dynamic_index_has_the_distance_in_all_its_parts() -> None:
    parts = {"distance": "cosine", "hnsw": INDEX, "flat": {"distance": "cosine"}, "threshold": 10_000}
    index = shadow_schema(changed(LEGACY, "vectorIndexConfig", parts), spec())["vectorIndexConfig"]
    assert {index["distance"], index["hnsw"]["distance"], index["flat"]["distance"]} == {"dot"}


def test_an_unsaid_distance_is_said() -> None:
    assert shadow_schema({"class": "Docs"}, spec())["vectorIndexConfig"]["distance"] == "dot"


@pytest.mark.parametrize(
    ("live", "wanted"),
    [(LEGACY, named_spec()), (NAMED, spec()), (NAMED, spec(vector_name="main")), (NAMED, spec(carried=("other",)))],
)
def test_vectors_that_the_migration_does_not_name_stop_it(live: dict[str, Any], wanted: ShadowSpec) -> None:
    with pytest.raises(BadInput, match="vectors"):
        shadow_schema(live, wanted)


def test_a_legacy_vector_beside_named_ones_is_a_vector_too() -> None:
    mixed = LEGACY | {"vectorConfig": {"other": NONE}}
    shadow = shadow_schema(mixed, spec(vector_name=UNNAMED, carried=("other",)))
    assert shadow["vectorIndexConfig"]["distance"] == "dot"
    assert shadow["vectorConfig"] == {"other": UNQUANTISED}


def test_the_shadow_as_made_has_no_forbidden_difference() -> None:
    for live, wanted in ((LEGACY, spec()), (NAMED, named_spec())):
        rows = schema_differences(live, shadow_schema(live, wanted), wanted)
        assert all(row["allowed"] for row in rows)
        assert all(row["why"] for row in rows if row["live"] != row["shadow"])
        assert all(not row["why"] for row in rows if row["live"] == row["shadow"])


def test_the_order_of_properties_and_a_null_are_no_difference() -> None:
    shadow = shadow_schema(LEGACY, spec())
    shadow["properties"].reverse()
    del shadow["invertedIndexConfig"]["stopwords"]["additions"]
    assert refused(LEGACY, shadow) == []


def test_what_the_server_decides_is_no_difference() -> None:
    shadow = changed(shadow_schema(LEGACY, spec()), "vectorIndexConfig.trackDefaultQuantization", True)
    shadow["properties"][-1]["invented"] = 1
    assert refused(LEGACY, shadow) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("vectorIndexConfig.distance", "cosine"),
        ("vectorIndexConfig.ef", 100),
        ("vectorIndexConfig.rq.enabled", True),
        ("vectorizer", "text2vec-openai"),
        ("invertedIndexConfig.bm25.b", 0.5),
        ("shardingConfig.desiredCount", 1),
        ("multiTenancyConfig.enabled", True),
        ("class", "Docs"),
        ("brandNew.setting", 1),
    ],
)
def test_any_other_difference_is_a_row_that_says_what_should_be(path: str, value: Any) -> None:
    assert refused(LEGACY, changed(shadow_schema(LEGACY, spec()), path, value)) == [path]


def test_a_property_that_live_got_later_is_a_difference() -> None:
    shadow = shadow_schema(LEGACY, spec())
    live = copy.deepcopy(LEGACY)
    live["properties"].append({"name": "later", "dataType": ["text"]})
    live["properties"][1]["nestedProperties"].append({"name": "at", "dataType": ["date"]})
    assert refused(live, shadow) == ["properties.later.dataType", "properties.made.nestedProperties.at.dataType"]


def test_a_searchable_stamp_is_a_difference() -> None:
    shadow = shadow_schema(LEGACY, spec())
    shadow["properties"][-1]["tokenization"] = "word"
    assert refused(LEGACY, shadow) == [f"properties.{STAMPS[-1]}.tokenization"]


def test_plain_collections_are_not_refused() -> None:
    assert refusals(LEGACY) == []
    assert refusals(NAMED) == []
    assert refusals(LEGACY | {"properties": [{"name": "author", "dataType": ["Person"]}]}) == []


def test_a_former_shadow_may_be_moved_again() -> None:
    live = shadow_schema(LEGACY, spec())
    assert refusals(live) == []
    second = shadow_schema(live, spec())
    assert len(second["properties"]) == len(live["properties"])
    assert refused(live, second) == []


@pytest.mark.parametrize(
    ("live", "names"),
    [
        (
            LEGACY | {"properties": [{"name": "twin", "dataType": ["Person", LEGACY["class"]]}]},
            ["twin", "cross-reference to the collection itself"],
        ),
        (LEGACY | {"vectorConfig": NAMED["vectorConfig"]}, ["an unnamed vector beside named ones"]),
        (LEGACY | {"properties": [{"name": "x", "dataType": ["tensor"]}]}, ["x", "tensor"]),
        (LEGACY | {"properties": [{"name": STAMPS[0], "dataType": ["text"], "tokenization": "word"}]}, [STAMPS[0], "reserved"]),
        (LEGACY | {"vectorizer": "text2vec-acme"}, ["text2vec-acme"]),
        (changed(NAMED, "vectorConfig.other.vectorizer", {"text2vec-acme": {}}), ["other", "text2vec-acme"]),
        (changed(NAMED, "vectorConfig.main.vectorIndexConfig.multivector.enabled", True), ["main", "multi-vectors"]),
        (changed(LEGACY, "vectorIndexConfig.skip", True), ["not indexed"]),
        (LEGACY | {"objectTtlConfig": {"enabled": True, "deleteOn": "_creationTimeUnix"}}, ["_creationTimeUnix"]),
        (LEGACY | {"somethingNew": {"on": True}}, ["somethingNew"]),
    ],
)
def test_what_is_not_carried_is_refused_by_name(live: dict[str, Any], names: list[str]) -> None:
    [reason] = refusals(live)
    assert all(name in reason for name in names)
