"""What applications may write: refused here, by name, before anything is sent anywhere."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Mapping, Sequence
from typing import Any

from vecferry.domain.objects import STAMPS
from vecferry.domain.pins import Pin
from vecferry.errors import BadInput


def checked_uuid(value: object) -> str:
    """The canonical lower-case form."""
    try:
        return str(uuids.UUID(str(value)))
    except ValueError as error:
        raise BadInput(
            f"{value!r} is not a UUID", where="uuid", next_action="For ids of your own use uuid.uuid5(NAMESPACE, id)."
        ) from error


def checked_properties(pin: Pin, properties: Mapping[str, Any], *, complete: bool) -> dict[str, Any]:
    """``complete``: a whole object (put) rather than some properties (update), so its text must be there."""
    reserved = sorted(set(properties) & set(STAMPS))
    if reserved:
        raise BadInput(
            f"the property names {', '.join(reserved)} are reserved for vecferry's stamps",
            where=pin.name,
            next_action="Rename them.",
        )
    for name in pin.recipe.properties:
        value = properties.get(name)
        if value is not None and not isinstance(value, str | list | tuple):
            raise BadInput(
                f"property {name!r} is embedded and must be text, not {type(value).__name__}",
                where=pin.name,
                next_action="Give a string or a list of strings.",
            )
    if complete and pin.recipe.text_of(properties) is None:
        raise BadInput(
            f"the object has no text in {', '.join(pin.recipe.properties)}",
            where=pin.name,
            next_action="Give the text even where you bring the vector: the next model needs it.",
        )
    return dict(properties)


def checked_vector(pin: Pin, vector: Sequence[float]) -> tuple[float, ...]:
    if len(vector) != pin.space.dimensions:
        raise BadInput(
            f"the vector has {len(vector)} dimensions; {pin.space.id} has {pin.space.dimensions}",
            where=pin.name,
            next_action="Leave the vector out, and the router embeds the text with the right model.",
        )
    return tuple(float(x) for x in vector)
