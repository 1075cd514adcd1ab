"""What applications may write: refused here, by name, before anything is sent anywhere."""

from __future__ import annotations

import json
import re
import uuid as uuids
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from vecferry.domain.objects import STAMPS
from vecferry.domain.pins import Pin
from vecferry.errors import BadInput

_TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_MOST_SHOWN = 60


def checked_uuid(value: object) -> str:
    """The canonical lower-case form."""
    try:
        return str(uuids.UUID(str(value)))
    except ValueError as error:
        raise BadInput(
            f"{_shown(value)} is not a UUID", where="uuid", next_action="For ids of your own use uuid.uuid5(NAMESPACE, id)."
        ) from error


def checked_uuids(values: Iterable[object]) -> list[str]:
    """Each once, in order."""
    return list(dict.fromkeys(map(checked_uuid, values)))


def checked_tenant(tenant: object) -> str | None:
    """``None``, or a name that Weaviate could have: the empty one would be taken for none on the way."""
    if tenant is None:
        return None
    if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
        raise BadInput(
            f"{_shown(tenant)} cannot be the name of a tenant",
            where="tenant",
            next_action="It has 1 to 64 letters, digits, _ and -; leave it out for a collection without tenants.",
        )
    return tenant


def checked_items(items: Iterable[Any]) -> tuple[list[str], list[Mapping[str, Any]]]:
    """UUIDs and properties of ``put_many``'s pairs."""
    pairs = [item if isinstance(item, tuple | list) else () for item in items]
    if any(len(pair) != 2 for pair in pairs):
        raise BadInput("put_many takes pairs", where="put_many", next_action="Give (uuid, properties) for each object.")
    keys = [checked_uuid(uuid) for uuid, _ in pairs]
    twice = [key for key, times in Counter(keys).items() if times > 1]
    if twice:
        raise BadInput(
            f"a UUID stands twice in put_many: {twice[0]}", where="put_many", next_action="Keep the last one of each."
        )
    return keys, [properties for _, properties in pairs]


def checked_properties(pin: Pin, key: str, properties: Mapping[str, Any], *, complete: bool) -> dict[str, Any]:
    """``complete``: a whole object (put) rather than some properties (update), so its text must be there."""
    where = f"{pin.name}/{key}"
    if not isinstance(properties, Mapping):
        raise BadInput(f"the properties are {_kind(properties)}", where=where, next_action="Give a mapping of names to values.")
    _refuse_names(properties, where)
    _refuse_what_is_no_text(pin, properties, where)
    for name, value in properties.items():
        _refuse_what_is_no_json(name, value, where)
    if complete and pin.recipe.text_of(properties) is None:
        raise BadInput(
            f"the object has no text in {', '.join(pin.recipe.properties)}",
            where=where,
            next_action="Give the text even where you bring the vector: the next model needs it.",
        )
    return dict(properties)


def checked_merge(pin: Pin, key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """An update may not take the text away: the vector of the text that was would stay. One without it may be updated."""
    if pin.recipe.text_of(after) is None and pin.recipe.text_of(before) is not None:
        raise BadInput(
            f"the update would leave no text in {', '.join(pin.recipe.properties)}",
            where=f"{pin.name}/{key}",
            next_action="Leave some text, or delete the object.",
        )


def checked_vector(pin: Pin, key: str, vector: Sequence[float]) -> tuple[float, ...]:
    where = f"{pin.name}/{key}"
    if len(given := _numbers(vector, where)) != pin.space.dimensions:
        raise BadInput(
            f"the vector has {len(given)} dimensions; {pin.space.id} has {pin.space.dimensions}",
            where=where,
            next_action="Leave the vector out, and the router embeds the text with the right model.",
        )
    with np.errstate(over="ignore"):
        sent = given.astype(np.float32)
    if not np.isfinite(sent).all() or not sent.any():
        raise BadInput(
            "the vector has a value that is not finite, or nothing but zeros",
            where=where,
            next_action="It would be found by no search: leave it out, or bring the one of the text.",
        )
    return tuple(given.astype(float).tolist())


def _numbers(vector: object, where: str) -> np.ndarray[Any, Any]:
    try:
        given = np.asarray(vector)
    except ValueError:  # rows of different lengths
        given = np.asarray(None)
    if given.ndim != 1 or given.dtype.kind not in "fiu":
        raise BadInput(f"the vector is {_kind(vector)} and no list of numbers", where=where, next_action="Give floats.")
    return given


def _refuse_names(properties: Mapping[Any, Any], where: str) -> None:
    odd = [name for name in properties if not isinstance(name, str)]
    if odd:
        raise BadInput(f"the property name {_shown(odd[0])} is no text", where=where, next_action="Name it with a string.")
    reserved = sorted(set(properties) & set(STAMPS))
    if reserved:
        raise BadInput(
            f"the property names {', '.join(reserved)} are reserved for vecferry's stamps",
            where=where,
            next_action="Rename them.",
        )


def _refuse_what_is_no_text(pin: Pin, properties: Mapping[str, Any], where: str) -> None:
    for name in pin.recipe.properties:
        value = properties.get(name)
        texts = value if isinstance(value, list | tuple) else [] if value is None else [value]
        wrong = next((text for text in texts if not isinstance(text, str)), None)
        if wrong is not None:
            raise BadInput(
                f"property {name!r} is embedded and must be text, not {type(wrong).__name__}",
                where=where,
                next_action="Give a string or a list of strings.",
            )


def _refuse_what_is_no_json(name: str, value: Any, where: str) -> None:
    """The store would refuse it too, but after the journal row; a date as Python's object is the usual one."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(
            f"property {name!r} cannot be sent as JSON ({error})",
            where=where,
            next_action="Give text, finite numbers, booleans, lists or mappings; dates as RFC 3339 text.",
        ) from error


def _kind(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
