"""Objects between the server's REST JSON and ``StoredObject``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vecferry.domain.object_ids import canonical_uuid
from vecferry.domain.objects import UNNAMED, StoredObject, Vector
from vecferry.errors import BadInput

_EXACT_INTEGERS = 2**53


def to_rest(collection: str, obj: StoredObject) -> dict[str, Any]:
    """Everything explicit: a vector left out of a put would be erased, and on some schemas made up by the server."""
    body: dict[str, Any] = {"class": collection, "id": canonical_uuid(obj.uuid), "properties": dict(obj.properties)}
    if obj.tenant is not None:
        body["tenant"] = obj.tenant
    named = {name: list(vector) for name, vector in obj.vectors.items() if name != UNNAMED}
    if named:
        body["vectors"] = named
    if UNNAMED in obj.vectors:
        body["vector"] = list(obj.vectors[UNNAMED])
    return body


def from_rest(body: Mapping[str, Any], tenant: str | None) -> StoredObject:
    vectors = {name: as_float32(vector, name) for name, vector in (body.get("vectors") or {}).items()}
    if body.get("vector"):
        vectors[UNNAMED] = as_float32(body["vector"], UNNAMED)
    return StoredObject(body["id"], _tidied(body.get("properties") or {}), vectors, tenant)


def as_float32(vector: Sequence[float], name: str) -> Vector:
    """What the server stores: REST prints it short (0.1), gRPC whole (0.10000000149); here both read the same."""
    stored = np.asarray(vector, dtype=np.float32)
    if stored.ndim != 1:
        raise BadInput("multi-vectors are not carried yet", where=name, next_action="Leave this collection out.")
    return tuple(stored.tolist())


def from_float32_bytes(content: bytes) -> Vector:
    return tuple(np.frombuffer(content, dtype="<f4").tolist())


def to_float32_bytes(vector: Vector) -> bytes:
    return np.asarray(vector, dtype="<f4").tobytes()


def _tidied(value: Any) -> Any:
    """Without nulls, which REST prints inside nested objects, and with large integers as the floats that they are.

    The server keeps integers as float64 and REST prints the shortest decimal that reads back as the same float; the one
    for −2**63 is outside of the range that the server would take again.
    """
    if isinstance(value, dict):
        return {key: _tidied(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_tidied(item) for item in value]
    return int(float(value)) if type(value) is int and abs(value) >= _EXACT_INTEGERS else value
