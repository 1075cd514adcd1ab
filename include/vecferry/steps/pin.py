"""Record what a collection holds, after looking: the answer to "what is in there?"."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vecferry.domain.objects import UNNAMED
from vecferry.domain.pins import Pin
from vecferry.domain.schema import vector_names
from vecferry.errors import BadInput, Conflict
from vecferry.ports import Ports
from vecferry.steps import fingerprint, server_side, shared_space
from vecferry.steps.reembedding import VectorOf
from vecferry.steps.sampling import count_all, spread_keys

_SAMPLE = 20
_TIMEOUT_S = 60.0


def act(ports: Ports, pin: Pin, *, who: str, why: str, unverified: bool = False) -> dict[str, Any]:
    """Saves the pin. A sample's texts are embedded again: the stored vectors must be this model's of this recipe.

    Raises ``BadInput`` where they are not, with the cosine; ``unverified`` records the pin all the same and says so.
    """
    schema = ports.store.schema(pin.collection)
    alias = pin.alias or _alias_of(ports, pin.collection)
    pin = replace(pin, collection=str(schema["class"]), alias=alias, vector_name=_vector_of(pin, schema))
    embedder = ports.embedders.of(pin.space, pin=pin, witnessed=False)
    pin = server_side.derived(ports, pin, schema, embedder)
    _refuse_unknown_properties(pin, schema)
    what = VectorOf(pin.collection, pin.vector_name, pin.recipe)
    sample = server_side.reembedded(ports.store, what, embedder, spread_keys(ports.store, pin.collection, _SAMPLE)).found
    shared = _in_a_shared_space(ports, pin)
    if shared and not unverified:
        shared_space.refuse_unless_proven(ports, what, embedder)
    if sample.foreign and not unverified and not shared:
        raise BadInput(
            f"the stored vectors are not {pin.space.id} of {', '.join(pin.recipe.properties)}: "
            f"cosine {sample.worst:.3f} at worst over {sample.compared} objects",
            where=pin.collection,
            next_action="Name the model and the properties, in order, that made them; or give --unverified.",
        )
    pin = replace(pin, fingerprint=fingerprint.take(embedder, timeout_s=_TIMEOUT_S))
    _refuse_if_migrating(ports, pin)
    ports.ledger.save_pin(pin, who=who, why=why)
    return {
        "pin": pin.name,
        "collection": pin.collection,
        "vector": pin.vector_name,
        "space": pin.space.id,
        "properties": list(pin.recipe.properties),
        "objects": count_all(ports.store, pin.collection),
        "verified_on": sample.compared,
        "worst_cosine": sample.worst if sample.compared else None,
    }


def _in_a_shared_space(ports: Ports, pin: Pin) -> bool:
    """The pin moves to another model of the family that made the stored vectors: theirs are near, and not equal."""
    before = next((known for known in ports.ledger.pins() if known.name == pin.name), None)
    if before is None or before.space == pin.space:
        return False
    return before.collection == pin.collection and before.space.same_as(pin.space)


def _alias_of(ports: Ports, collection: str) -> str | None:
    return collection if collection in ports.store.aliases() else None


def _vector_of(pin: Pin, schema: dict[str, Any]) -> str:
    """A collection's only vector need not be named: today's clients call it ``default`` without being asked."""
    names = vector_names(schema)
    if pin.vector_name in names:
        return pin.vector_name
    if pin.vector_name == UNNAMED and len(names) == 1:
        return names[0]
    raise BadInput(
        f"no such vector: {pin.vector_name or '(unnamed)'}",
        where=pin.collection,
        next_action=f"Give one as --vector-name. It has: {', '.join(v or '(unnamed)' for v in names)}.",
    )


def _refuse_if_migrating(ports: Ports, pin: Pin) -> None:
    if any(known.name == pin.name for known in ports.ledger.pins()):
        active = ports.ledger.active_migration(pin.name)
        if active is not None:
            raise Conflict(
                f"migration {active.id} is under way", where=pin.name, next_action="Finish or discard it before pinning anew."
            )


def _refuse_unknown_properties(pin: Pin, schema: dict[str, Any]) -> None:
    names = {p["name"]: p.get("dataType", [""])[0] for p in schema.get("properties") or []}
    if not pin.recipe.properties:
        raise BadInput("a new pin needs --properties", where=pin.collection, next_action=f"It has: {', '.join(sorted(names))}.")
    unknown = [name for name in pin.recipe.properties if name not in names]
    if unknown:
        raise BadInput(
            f"no such properties: {', '.join(unknown)}",
            where=pin.collection,
            next_action=f"It has: {', '.join(sorted(names))}.",
        )
    other = [name for name in pin.recipe.properties if names[name] not in ("text", "text[]")]
    if other:
        raise BadInput(f"not text: {', '.join(other)}", where=pin.collection, next_action="Only text can be embedded.")
