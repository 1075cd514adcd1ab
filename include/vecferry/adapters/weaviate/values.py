"""A property as gRPC sends it → the JSON that REST would give; held equal by a test for every data type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vecferry.adapters.weaviate.objects import LEAST, writable

_GO_PLAIN_NUMBERS = 1e21
"""Below this Go prints a float without an exponent, so that JSON reads it as an integer."""


def properties_of(message: Any) -> dict[str, Any]:
    """Of a ``Properties`` message; nulls are left out, as REST does at the top. Inside nested objects both print them."""
    return {name: value for name, value in _fields(message).items() if value is not None}


def may_be_flipped(value: Any) -> bool:
    """Whether −2**63 is in it. It is what gRPC sends for the largest integer too: only REST tells them apart."""
    kind = type(value)
    if kind is str:
        return False
    if kind is int:
        return bool(value == LEAST)
    if kind is list:
        return LEAST in value or any(may_be_flipped(item) for item in value if type(item) is dict)
    return kind is dict and any(map(may_be_flipped, value.values()))


def _fields(message: Any) -> dict[str, Any]:
    fields = message.fields  # a map's ``items()`` are Python's own, and slow
    return {name: value_of(fields[name]) for name in fields}


def value_of(value: Any) -> Any:
    if text := value.text_value:
        return text
    kind = value.WhichOneof("kind")
    if kind is None or kind == "null_value":
        return None
    content = getattr(value, kind)
    return _CONVERT[kind](content) if kind in _CONVERT else content


def _list(message: Any) -> list[Any]:
    kind = message.WhichOneof("kind")
    if kind is None:
        return []
    return _LISTS[kind](getattr(message, kind).values)


def _number(number: float) -> float | int:
    return writable(number) if number.is_integer() and abs(number) < _GO_PLAIN_NUMBERS else number


def _float32(number: float) -> float | int:
    return _number(float(str(np.float32(number))))


def _geo(message: Any) -> dict[str, Any]:
    return {"latitude": _float32(message.latitude), "longitude": _float32(message.longitude)}


def _phone(message: Any) -> dict[str, Any]:
    found = {
        "countryCode": message.country_code,
        "defaultCountry": message.default_country,
        "input": message.input,
        "internationalFormatted": message.international_formatted,
        "national": message.national,
        "nationalFormatted": message.national_formatted,
        "valid": message.valid,
    }
    # REST leaves out what is empty, ``valid: false`` and zeros included.
    return {name: value for name, value in found.items() if value}


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "number_value": _number,
    "object_value": _fields,
    "list_value": _list,
    "geo_value": _geo,
    "phone_value": _phone,
}
_LISTS: dict[str, Callable[[Any], list[Any]]] = {
    "number_values": lambda packed: [_number(number) for number in np.frombuffer(packed, dtype="<f8").tolist()],
    "int_values": lambda packed: np.frombuffer(packed, dtype="<i8").tolist(),
    "object_values": lambda messages: [_fields(message) for message in messages],
    "text_values": list,
    "bool_values": list,
    "date_values": list,
    "uuid_values": list,
}
