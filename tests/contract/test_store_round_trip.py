"""Every data type, from a live collection to its shadow and back, on the real server: nothing may change on the way."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

import httpx
import pytest

from tests.contract.store_fixtures import *  # noqa: F403
from tests.contract.store_fixtures import TIMEOUT_S
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.domain.chunks import LAST
from vecferry.domain.objects import UNNAMED, StoredObject, content_hash
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.schema import refusals, schema_differences, shadow_schema
from vecferry.domain.shadow import ShadowSpec, differences, shadow_object
from vecferry.domain.spaces import EmbeddingSpace


def prop(name: str, kind: str, *nested: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "dataType": [kind]} | ({"nestedProperties": list(nested)} if nested else {})


SCALARS = ("text", "int", "number", "boolean", "date", "uuid")
PLAIN = [prop(kind, kind) for kind in SCALARS] + [prop(f"{kind}s", f"{kind}[]") for kind in SCALARS]
NESTED = [*PLAIN, prop("blob", "blob"), prop("inner", "object", *PLAIN), prop("inners", "object[]", prop("text", "text"))]
SPECIAL = [prop("geo", "geoCoordinates"), prop("phone", "phoneNumber"), prop("blob", "blob")]
TYPES = [*PLAIN, *SPECIAL, prop("outer", "object", *NESTED), prop("outers", "object[]", *NESTED)]

VALUES: dict[str, Any] = {
    "text": 'héllo\n"x" \\ \u2028 😀',
    "int": -(2**53) + 1,
    "number": 1.1,
    "boolean": False,
    "date": "2024-02-03T04:05:06.123456789+02:00",
    "uuid": "00000000-0000-0000-0000-0000000000ab",
    "texts": ["a", "", "b"],
    "ints": [1, -2, 0],
    "numbers": [0.1, 1e300, 3.0, -0.0, 1e21, 1e-7, 5e-324, 2.0**62],
    "booleans": [True, False],
    "dates": ["2024-02-03T04:05:06Z", "1999-12-31T23:59:59.1Z"],
    "uuids": ["00000000-0000-0000-0000-0000000000ab", str(uuid5(NAMESPACE_OID, "x"))],
}
BLOB = base64.b64encode(bytes(range(256))).decode()
INNER = VALUES | {"blob": BLOB, "inner": VALUES, "inners": [{"text": "1"}, {}]}
SPECIALS = {
    "geo": {"latitude": 52.3932696, "longitude": -4.8374263},
    "phone": {"input": "020 1234567", "defaultCountry": "nl"},
    "blob": BLOB,
}
CONTENTS: list[dict[str, Any]] = [
    VALUES | SPECIALS | {"outer": INNER, "outers": [INNER, {"text": "only"}]},
    {},
    {"text": "", "int": 0, "number": 0, "boolean": False, "texts": [], "ints": [], "numbers": [], "booleans": []},
    {"dates": [], "uuids": [], "outer": {}, "outers": []},
    {"text": None, "outer": {"text": None, "texts": [], "int": 0}, "outers": [{}]},
    {"outer": {"inner": {}, "inners": []}},
    {"number": 5.0, "geo": {"latitude": 0, "longitude": 180}, "phone": {"input": "+31 20 1234567"}},
    {"int": 2**62, "ints": [-(2**63), 2**53 + 1], "number": 1e20},
    {"date": "2024-02-03T04:05:06.000Z", "dates": ["0001-01-01T00:00:00Z"]},
]
IDS = [str(UUID(int=n + 1)) for n in range(len(CONTENTS))]


@pytest.fixture(params=["unnamed", "named"])
def spec(request: pytest.FixtureRequest, real_store: WeaviateStore) -> Iterator[ShadowSpec]:
    live, none = f"L{uuid4().hex[:12]}", {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw"}
    named = request.param == "named"
    vectors = {"vectorConfig": {"main": none, "other": none}} if named else {"vectorizer": "none"}
    real_store.create({"class": live, "properties": TYPES, **vectors})
    names = {"vector_name": "main", "carried": ("other",)} if named else {}
    space = EmbeddingSpace("test", "m", 3, distance="dot")
    yield ShadowSpec(live, f"S{live[1:]}", TextRecipe(("text",)), space, **names)  # type: ignore[arg-type]
    real_store.drop(live)
    real_store.drop(f"S{live[1:]}")


def fill(store: WeaviateStore, spec: ShadowSpec) -> None:
    vectors = {spec.vector_name: [0.1, -2.5]} | {name: [1 / 3, 1e-8, 12345.678] for name in spec.carried}
    objects = [StoredObject(uuid, content, vectors) for uuid, content in zip(IDS, CONTENTS, strict=True)]
    assert store.put_batch(spec.live, objects, timeout_s=TIMEOUT_S) == {}


def test_a_page_is_read_exactly_as_one_by_one(real_store: WeaviateStore, spec: ShadowSpec) -> None:
    fill(real_store, spec)
    page = real_store.read(spec.live, IDS)
    for uuid in IDS:
        assert page[uuid] == real_store.read(spec.live, [uuid])[uuid]
    assert real_store.page(spec.live, after="", until=LAST, limit=100).objects == page
    whole = page[IDS[0]].properties
    assert set(whole) == {p["name"] for p in TYPES}
    assert whole["date"] == "2024-02-03T04:05:06.123456789+02:00"
    assert set(whole["outer"]) == {p["name"] for p in NESTED}
    assert whole["blob"] == whole["outer"]["blob"] == BLOB


def test_a_copy_has_the_content_hash_of_its_original(real_store: WeaviateStore, spec: ShadowSpec) -> None:
    fill(real_store, spec)
    real_store.create(shadow_schema(real_store.schema(spec.live), spec))
    live = real_store.read(spec.live, IDS)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    copies = [shadow_object(spec, live[uuid], [1.0, 0.5, 0.25], skipped=None, at=at) for uuid in IDS]
    assert real_store.put_batch(spec.shadow, copies, timeout_s=TIMEOUT_S) == {}
    stored = real_store.read(spec.shadow, IDS)
    for uuid in IDS:
        assert differences(spec, live[uuid], stored[uuid]) == [], CONTENTS[IDS.index(uuid)]
        assert content_hash(stored[uuid], spec.carried) == content_hash(live[uuid], spec.carried)


def test_a_second_copy_is_the_same_as_the_first(real_store: WeaviateStore, spec: ShadowSpec) -> None:
    fill(real_store, spec)
    first = real_store.read(spec.live, IDS)
    assert real_store.put_batch(spec.live, list(first.values()), timeout_s=TIMEOUT_S) == {}
    assert real_store.read(spec.live, IDS) == first


def test_a_shadow_differs_from_its_original_only_where_it_must(real_store: WeaviateStore, spec: ShadowSpec) -> None:
    live = real_store.schema(spec.live)
    assert refusals(live) == []
    real_store.create(shadow_schema(live, spec, description="ours"))
    rows = schema_differences(live, real_store.schema(spec.shadow), spec)
    assert [row for row in rows if not row["allowed"]] == []
    prefix = "vectorConfig.main." if spec.vector_name != UNNAMED else ""
    different = {row["setting"] for row in rows if row["live"] != row["shadow"]}
    assert {"class", "description", f"{prefix}vectorIndexConfig.distance"} <= different
    assert all(row["why"] for row in rows if row["live"] != row["shadow"])
    assert len(rows) > 60


def test_a_property_added_a_moment_ago_is_read(real_store: WeaviateStore, spec: ShadowSpec, weaviate_server: Any) -> None:
    fill(real_store, spec)
    for kind in ("text", "blob"):
        added = {"name": f"new_{kind}", "dataType": [kind]}
        httpx.post(f"{weaviate_server.http_url}/v1/schema/{spec.live}/properties", json=added, trust_env=False)
        obj = real_store.read(spec.live, IDS[:1])[IDS[0]]
        real_store.put(
            spec.live, StoredObject(obj.uuid, {**obj.properties, added["name"]: BLOB}, obj.vectors), timeout_s=TIMEOUT_S
        )
        assert real_store.read(spec.live, IDS)[IDS[0]].properties[added["name"]] == BLOB
