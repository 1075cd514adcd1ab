"""gRPC search requests, built by hand: the vendor client's builder offers neither a timeout a call nor the raw answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from vecferry.adapters.weaviate.schema_shape import has_blobs, is_object, is_reference, vector_names
from vecferry.domain.objects import UNNAMED


def search_request(collection: str, *, tenant: str | None, limit: int, **parts: Any) -> Any:
    from weaviate.proto.v1 import search_get_pb2

    # Always a limit: without one the server answers QUERY_DEFAULTS_LIMIT objects and does not say so.
    return search_get_pb2.SearchRequest(
        collection=collection,
        tenant=tenant or "",
        limit=limit,
        uses_123_api=True,
        uses_125_api=True,
        uses_127_api=True,
        **parts,
    )


def keys_only() -> dict[str, Any]:
    """An empty properties request: the payload stays on the server."""
    from weaviate.proto.v1 import search_get_pb2

    return {"metadata": search_get_pb2.MetadataRequest(uuid=True), "properties": search_get_pb2.PropertiesRequest()}


def whole_objects(schema: Mapping[str, Any], vectors: Collection[str] | None = None) -> dict[str, Any]:
    """Every property and vector, at QUORUM; of the vectors only these, if they are named. Blobs come only if they are named,
    so then all are."""
    from weaviate.proto.v1 import base_pb2, search_get_pb2

    names = [name for name in vector_names(schema) if vectors is None or name in vectors]
    properties = schema.get("properties") or ()
    return {
        "consistency_level": base_pb2.CONSISTENCY_LEVEL_QUORUM,
        "metadata": search_get_pb2.MetadataRequest(
            uuid=True, vector=UNNAMED in names, vectors=[n for n in names if n != UNNAMED], is_consistent=True
        ),
        "properties": _each_property(properties) if has_blobs(properties) else _all_properties(),
    }


def all_properties() -> dict[str, Any]:
    return {"properties": _all_properties()}


def by_ids(uuids: Iterable[str]) -> Any:
    from weaviate.proto.v1 import base_pb2

    return base_pb2.Filters(
        operator=base_pb2.Filters.OPERATOR_CONTAINS_ANY,
        target=base_pb2.FilterTarget(property="_id"),
        value_text_array=base_pb2.TextArray(values=list(uuids)),
    )


def _all_properties() -> Any:
    from weaviate.proto.v1 import search_get_pb2

    return search_get_pb2.PropertiesRequest(return_all_nonref_properties=True)


def _each_property(properties: Sequence[Mapping[str, Any]]) -> Any:
    from weaviate.proto.v1 import search_get_pb2

    return search_get_pb2.PropertiesRequest(
        non_ref_properties=[p["name"] for p in properties if not is_object(p) and not is_reference(p)],
        object_properties=[_each_nested(p) for p in properties if is_object(p)],
    )


def _each_nested(prop: Mapping[str, Any]) -> Any:
    from weaviate.proto.v1 import search_get_pb2

    nested = prop.get("nestedProperties") or ()
    return search_get_pb2.ObjectPropertiesRequest(
        prop_name=prop["name"],
        primitive_properties=[p["name"] for p in nested if not is_object(p)],
        object_properties=[_each_nested(p) for p in nested if is_object(p)],
    )
