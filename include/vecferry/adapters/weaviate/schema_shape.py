"""What a raw schema says about how its objects must be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vecferry.domain.objects import UNNAMED


def vector_names(schema: Mapping[str, Any]) -> list[str]:
    """``UNNAMED`` where there is a legacy vector, then the named ones (a collection may have both)."""
    named = sorted(schema.get("vectorConfig") or ())
    return [UNNAMED, *named] if schema.get("vectorIndexType") or not named else named


def is_multi_tenant(schema: Mapping[str, Any]) -> bool:
    return bool((schema.get("multiTenancyConfig") or {}).get("enabled"))


def replicas(schema: Mapping[str, Any]) -> int:
    return int((schema.get("replicationConfig") or {}).get("factor") or 1)


def is_object(prop: Mapping[str, Any]) -> bool:
    return bool(prop["dataType"][0] in ("object", "object[]"))


def is_reference(prop: Mapping[str, Any]) -> bool:
    """Data types of the server's own are lower case, collections are not."""
    return bool(prop["dataType"][0][:1].isupper())


def has_references(schema: Mapping[str, Any]) -> bool:
    return any(is_reference(prop) for prop in schema.get("properties") or ())


def has_blobs(properties: Iterable[Mapping[str, Any]]) -> bool:
    return any(p["dataType"][0] == "blob" or has_blobs(p.get("nestedProperties") or ()) for p in properties)
