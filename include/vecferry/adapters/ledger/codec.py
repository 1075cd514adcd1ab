"""Domain values as JSON and back, exactly: nested frozen dataclasses, tuples, enums, dates."""

from __future__ import annotations

import json
import math
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


_adapters: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type) -> TypeAdapter[Any]:
    """Made once a type: making one takes milliseconds."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def plain(value: Any) -> Any:
    """A dataclass as dicts, sequences and scalars, for a JSON column; ``dumps`` does the rest."""
    return _adapter(type(value)).dump_python(value)


def restored(kind: type[T], document: Any) -> T:
    value: T = _adapter(kind).validate_python(document)
    return value


def dumps(value: Any) -> str:
    """The engine's JSON serializer. A figure that is not finite becomes its name: PostgreSQL refuses a bare ``NaN``, and
    a verdict must not be lost because one of its figures could not be computed."""
    try:
        return json.dumps(value, allow_nan=False, default=_scalar, ensure_ascii=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False, ensure_ascii=False)


def _scalar(value: Any) -> Any:
    """numpy's numbers know their plain value; everything else as its text."""
    return value.item() if hasattr(value, "item") else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if value is None or isinstance(value, str | int):
        return value
    plain_value = value if isinstance(value, float) else _scalar(value)
    if isinstance(plain_value, float) and not math.isfinite(plain_value):
        return str(plain_value)
    return plain_value
