"""Objects between the server's REST JSON and ``StoredObject``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vecferry.domain.object_ids import canonical_uuid
from vecferry.domain.objects import UNNAMED, StoredObject, Vector
from vecferry.domain.packed_vector import PackedVector
from vecferry.errors import BadInput

_EXACT_INTEGERS = 2**53
MOST, LEAST = 2**63 - 1, -(2**63)
"""Of the server's integers. It keeps them as float64, so that the largest is 2**63 to it, which it prints and would refuse."""


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
    return PackedVector.of(stored)


def to_float32_bytes(vector: Vector) -> bytes:
    return vector.content if isinstance(vector, PackedVector) else np.asarray(vector, dtype="<f4").tobytes()


def _tidied(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Without nulls at the top, which the server does not keep; those inside nested objects it does, and so do we."""
    return {name: _exact(value) for name, value in properties.items() if value is not None}


def _exact(value: Any) -> Any:
    """Large integers as the floats that they are: REST prints the shortest decimal that reads back as the same float, and the
    one for −2**63 is outside of the range that the server would take again."""
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_exact(item) for item in value]
    return writable(float(value)) if type(value) is int and abs(value) >= _EXACT_INTEGERS else value


def writable(number: float) -> int:
    """An integral float as the integer to write for it, so that the server keeps this float again."""
    return MOST if number == 2.0**63 else int(number)
