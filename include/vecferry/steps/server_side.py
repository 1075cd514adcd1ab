"""Live collections that the server vectorizes itself: the text that it embeds, proven; and what would make it another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vecferry.domain.lifecycle import Migration
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.schema import server_side_model, vector_names
from vecferry.domain.server_text import server_rules
from vecferry.errors import BadInput
from vecferry.ports import Embedder, Ports
from vecferry.steps.reembedding import VectorOf, reembed
from vecferry.steps.sampling import spread_keys

_SAMPLE = 50


def recipe_of(schema: Mapping[str, Any], vector_name: str) -> TextRecipe | None:
    """By the vectorizer's own rules; ``None`` where clients bring the vectors. Raises ``BadInput`` for rules not known here."""
    try:
        found = server_rules(schema, vector_name)
    except ValueError as error:
        raise BadInput(
            str(error), where=str(schema["class"]), next_action="Leave this collection out, or name the --properties yourself."
        ) from error
    return None if found is None else TextRecipe(found[0], " ", found[1])


def derived(ports: Ports, pin: Pin, schema: Mapping[str, Any], embedder: Embedder) -> Pin:
    """A pin without a recipe gets the vectorizer's: as it is, or in lower case where only that gives the stored vectors (a
    setting of the server's own environment)."""
    recipe = None if pin.recipe.properties else recipe_of(schema, pin.vector_name)
    if recipe is None or recipe.server is None:
        return pin
    lower = replace(recipe, server=replace(recipe.server, lower=True))
    keys = spread_keys(ports.store, pin.collection, _SAMPLE)
    for candidate in (recipe, lower):
        found = reembed(ports.store, VectorOf(pin.collection, pin.vector_name, candidate), embedder, keys)
        if found.compared and not found.foreign:
            return replace(pin, recipe=candidate)
    return replace(pin, recipe=recipe)


def problems(schema: Mapping[str, Any], pin: Pin) -> list[str]:
    """What stands in the way of a migration, before the sample is looked at."""
    found = _carried(schema, pin.vector_name)
    if _vectorized(schema, pin.vector_name) and _another_text(schema, pin.vector_name, pin.recipe):
        found.append(
            f"the server embeds another text than the pin's {', '.join(pin.recipe.properties)}; vecferry pin {pin.name} "
            "--properties from-vectorizer takes the server's"
        )
    return found


def refuse_unless_proven(ports: Ports, pin: Pin) -> None:
    """A sample's texts, made by the vectorizer's rules and embedded again, against the vectors that the server has made."""
    if pin.recipe.server is None:
        return
    what = VectorOf(pin.collection, pin.vector_name, pin.recipe)
    embedder = ports.embedders.of(pin.space, pin=pin)
    found = reembed(ports.store, what, embedder, spread_keys(ports.store, pin.collection, _SAMPLE))
    if found.foreign:
        raise BadInput(
            f"{len(found.foreign)} of {found.compared} stored vectors are not {pin.space.id} of the text that the vectorizer's "
            f"rules give: {found.told(3)}",
            where=pin.collection,
            next_action="Were they brought by an application, or made before the vectorizer was changed? Embed them again.",
        )


def changes(migration: Migration, live: Mapping[str, Any]) -> list[str]:
    """Rule 13: what the server lets be changed in place, and what makes it embed another text or with another model."""
    spec = migration.spec
    if carried := _carried(live, spec.vector_name):
        return carried
    if spec.recipe.server is None:
        added = _vectorized(live, spec.vector_name)
        return ["a server-side vectorizer was added, and the application brings the vectors"] if added else []
    model = server_side_model(live, spec.vector_name)
    if not _vectorized(live, spec.vector_name) or model not in (None, migration.from_space.model):
        return [f"the server vectorizes with {model or 'nothing'} now, and the migration is from {migration.from_space.id}"]
    if _another_text(live, spec.vector_name, spec.recipe):
        return ["the server embeds another text now: a property was added, or the vectorizer's settings changed"]
    return []


def _carried(schema: Mapping[str, Any], migrated: str) -> list[str]:
    """The server would embed copies whose carried vector is to be none, and write over ours at an update."""
    return [
        f"vector {name or '(unnamed)'}: the server-side vectorizer of a vector that does not migrate is not carried yet"
        for name in vector_names(schema)
        if name != migrated and _vectorized(schema, name)
    ]


def _vectorized(schema: Mapping[str, Any], vector_name: str) -> bool:
    try:
        return server_rules(schema, vector_name) is not None
    except ValueError:
        return True


def _another_text(schema: Mapping[str, Any], vector_name: str, recipe: TextRecipe) -> bool:
    try:
        found = server_rules(schema, vector_name)
    except ValueError:
        return True
    if found is None or recipe.server is None:
        return True
    return (found[0], replace(found[1], lower=recipe.server.lower)) != (recipe.properties, recipe.server)
