"""A batch of plain objects as a gRPC message, or ``None`` where only JSON carries every digit of it."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from vecferry.domain.object_ids import canonical_uuid
from vecferry.domain.objects import UNNAMED, StoredObject, Vector
from vecferry.domain.packed_vector import PackedVector

_EXACT_INTEGERS = 2**53
"""Numbers travel as float64 in this message: up to here an integer is the same afterwards."""


class _OnlyJson(Exception):
    """REST carries it, or is the one to refuse it."""


def batch_message(collection: str, objects: Sequence[StoredObject]) -> Any | None:
    """A ``BatchObjectsRequest`` at QUORUM; of texts, numbers, booleans and lists of texts alone.

    Everything else (lists of numbers, whose type the message wants to know; empty lists; nested objects, places, telephone
    numbers, references; large integers; a vector that is no vector) goes by JSON, and so does the whole batch with it.
    """
    from weaviate.proto.v1 import base_pb2, batch_pb2

    try:
        messages = [_message(batch_pb2, collection, obj) for obj in objects]
    except (_OnlyJson, OverflowError, struct.error, ValueError, TypeError):  # also half of a surrogate pair, which JSON can say
        return None
    return batch_pb2.BatchObjectsRequest(objects=messages, consistency_level=base_pb2.CONSISTENCY_LEVEL_QUORUM)


def _message(batch_pb2: Any, collection: str, obj: StoredObject) -> Any:
    message = batch_pb2.BatchObject(uuid=canonical_uuid(obj.uuid), collection=collection, tenant=obj.tenant or "")
    _add_properties(message.properties, obj.properties)
    for name, vector in obj.vectors.items():
        content = _float32(vector)
        if name == UNNAMED:
            message.vector_bytes = content
        else:
            message.vectors.add(name=name, vector_bytes=content, type=_SINGLE_FP32)
    return message


def _add_properties(properties: Any, given: Mapping[str, Any]) -> None:
    fields = properties.non_ref_properties.fields
    for name, value in given.items():
        kind = type(value)
        if kind is str:
            fields[name].string_value = value
        elif kind is bool:
            fields[name].bool_value = value
        elif (kind is int and abs(value) < _EXACT_INTEGERS) or (kind is float and isfinite(value)):
            fields[name].number_value = value
        elif kind is list and value and all(type(item) is str for item in value):
            properties.text_array_properties.add(prop_name=name, values=value)
        else:
            raise _OnlyJson


def _float32(vector: Vector) -> bytes:
    content = vector.content if isinstance(vector, PackedVector) else struct.pack(f"<{len(vector)}f", *vector)
    if not content or not np.isfinite(np.frombuffer(content, dtype="<f4")).all():
        raise _OnlyJson
    return content


_SINGLE_FP32 = 1
"""``Vectors.VECTOR_TYPE_SINGLE_FP32``."""
