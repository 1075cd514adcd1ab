"""Which objects may travel in a gRPC message: those of which it carries every digit."""

from __future__ import annotations

from typing import Any

import pytest

from vecferry.adapters.weaviate.batch_message import batch_message
from vecferry.domain.objects import UNNAMED, StoredObject

ID = "00000000-0000-0000-0000-0000000000AB"
PLAIN = {
    "text": "héllo\x00",
    "yes": True,
    "no": False,
    "int": -(2**53) + 1,
    "number": 1.1,
    "zero": -0.0,
    "tags": ["a", "", "b"],
}


def an_object(properties: dict[str, Any], **vectors: Any) -> StoredObject:
    return StoredObject(ID, properties, vectors or {UNNAMED: (0.5, -1.0)})


def test_a_plain_object_is_carried_whole() -> None:
    message = batch_message("Docs", [StoredObject(ID, PLAIN, {UNNAMED: (0.5, -1.0), "other": (3.0,)}, "acme")])
    assert message is not None
    (sent,) = message.objects
    assert (sent.uuid, sent.collection, sent.tenant) == (ID.lower(), "Docs", "acme")
    assert dict(sent.properties.non_ref_properties) == {k: v for k, v in PLAIN.items() if k != "tags"}
    assert [(p.prop_name, list(p.values)) for p in sent.properties.text_array_properties] == [("tags", ["a", "", "b"])]
    assert sent.vector_bytes == b"\x00\x00\x00\x3f\x00\x00\x80\xbf"
    assert [(v.name, v.vector_bytes) for v in sent.vectors] == [("other", b"\x00\x00\x40\x40")]


@pytest.mark.parametrize(
    "value",
    [2**53, None, [], [1], [1.5], [True], ["a", 1], {"a": 1}, [{"beacon": "weaviate://localhost/x"}], "\ud800", float("nan")],
    ids=repr,
)
def test_one_value_that_is_not_plain_sends_the_batch_by_json(value: Any) -> None:
    assert batch_message("Docs", [an_object({"a": "b"}), an_object({"a": value})]) is None


@pytest.mark.parametrize("vector", [(), (float("inf"), 1.0), ((1.0, 2.0), (3.0, 4.0))], ids=repr)
def test_a_vector_that_is_none_is_left_for_json_to_refuse(vector: Any) -> None:
    assert batch_message("Docs", [an_object({}, other=vector)]) is None
