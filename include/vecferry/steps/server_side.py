"""Live collections that the server vectorizes itself: the text that it embeds, proven; and what would make it another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from vecferry.domain.catalogue import ModelCard
from vecferry.domain.kept_vectorizer import MODULE_OF, kept_vectorizer, source_properties
from vecferry.domain.lifecycle import Migration
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.schema import server_side_model, shadow_schema, vector_names
from vecferry.domain.server_text import names_after_a_merge, server_rules, vectorizer_of
from vecferry.domain.shadow import ShadowSpec
from vecferry.errors import BadInput
from vecferry.ports import Embedder, Ports, VectorStore
from vecferry.steps.reembedding import Key, Reembedded, VectorOf, reembed
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
        found = reembedded(ports.store, VectorOf(pin.collection, pin.vector_name, candidate), embedder, keys).found
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


def keeping_problems(ports: Ports, schema: Mapping[str, Any], pin: Pin, card: ModelCard) -> list[str]:
    """What stands in the way of a shadow that keeps the vectorizer, with the new model."""
    if vectorizer_of(schema, pin.vector_name) is None:
        return ["there is no server-side vectorizer to keep, for clients bring the vectors: --shadow-vectorizer plain"]
    module = MODULE_OF[card.api]
    if module in ports.store.modules():
        return []
    return [
        f"the server has no module {module}, which {card.space.id} needs: enable it on every node (ENABLE_MODULES), or "
        "--shadow-vectorizer plain"
    ]


def keeping(schema: Mapping[str, Any], spec: ShadowSpec, card: ModelCard) -> ShadowSpec:
    """The same with live's vectorizer for the new model, and the text that it will make."""
    kept = replace(spec, vectorizer=kept_vectorizer(schema, spec.vector_name, card))
    return replace(kept, recipe=own_recipe(schema, kept))


def own_recipe(schema: Mapping[str, Any], spec: ShadowSpec) -> TextRecipe:
    """What the shadow's own vectorizer makes of an object. Raises ``ValueError`` for rules not known here."""
    found = server_rules(shadow_schema(schema, spec, vectorizing=True), spec.vector_name)
    if found is None or spec.recipe.server is None:
        raise ValueError("the shadow has no vectorizer of its own")
    return TextRecipe(found[0], " ", replace(found[1], lower=spec.recipe.server.lower))


@dataclass(frozen=True)
class ServersOwn:
    """``after_a_merge`` of the compared have a vector of their text with dates and uuids, and are not foreign."""

    found: Reembedded
    after_a_merge: int = 0


def reembedded(store: VectorStore, what: VectorOf, embedder: Embedder, keys: Iterable[Key]) -> ServersOwn:
    """As ``reembedding.reembed``; where the server vectorizes, a vector may be of either of its texts."""
    found = reembed(store, what, embedder, keys)
    if not found.foreign or what.recipe.server is None:
        return ServersOwn(found)
    names = names_after_a_merge(store.schema(what.collection), what.name, what.recipe.properties)
    if names == what.recipe.properties:
        return ServersOwn(found)
    with_dates = replace(what, recipe=replace(what.recipe, properties=names))
    again = reembed(store, with_dates, embedder, [(one.tenant, one.uuid) for one in found.foreign])
    worst_own = min(found.worst_own, again.worst_own)
    both = Reembedded(found.compared, min(worst_own, again.worst), worst_own, again.foreign)
    return ServersOwn(both, len(found.foreign) - len(again.foreign))


def prove(ports: Ports, pin: Pin) -> list[str]:
    """A sample's texts, made by the vectorizer's rules and embedded again, against the vectors that the server has made. Raises
    ``BadInput`` where they differ; returns what a person should know."""
    if pin.recipe.server is None:
        return []
    what = VectorOf(pin.collection, pin.vector_name, pin.recipe)
    embedder = ports.embedders.of(pin.space, pin=pin)
    own = reembedded(ports.store, what, embedder, spread_keys(ports.store, pin.collection, _SAMPLE))
    found = own.found
    if found.foreign:
        raise BadInput(
            f"{len(found.foreign)} of {found.compared} stored vectors are not {pin.space.id} of the text that the vectorizer's "
            f"rules give: {found.told(3)}",
            where=pin.collection,
            next_action="Were they brought by an application, or made before the vectorizer was changed? Embed them again.",
        )
    if not own.after_a_merge:
        return []
    return [
        f"{own.after_a_merge} of {found.compared} sampled vectors are of a text with dates or uuids in it: so the server "
        "embeds where a text is changed in place (PATCH); their copies are of the text without, as of all other objects"
    ]


def changes(migration: Migration, live: Mapping[str, Any]) -> list[str]:
    """Rule 13: what the server lets be changed in place, and what makes it embed another text or with another model."""
    spec = migration.spec
    if carried := _carried(live, spec.vector_name):
        return carried
    if spec.recipe.server is None:
        added = _vectorized(live, spec.vector_name)
        return ["a server-side vectorizer was added, and the application brings the vectors"] if added else []
    if not _vectorized(live, spec.vector_name):
        return []  # a shadow with plain vectors once: the server lets nobody take a vectorizer away
    model = server_side_model(live, spec.vector_name)
    if model not in (None, migration.from_space.model):
        return [f"the server vectorizes with {model} now, and the migration is from {migration.from_space.id}"]
    if _another_text_for_the_shadow(live, spec):
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


def _another_text_for_the_shadow(live: Mapping[str, Any], spec: ShadowSpec) -> bool:
    if spec.vectorizer is None:
        return _another_text(live, spec.vector_name, spec.recipe)
    try:
        now = own_recipe(live, spec)
    except ValueError:
        return True
    return now != spec.recipe or source_properties(live, spec.vector_name) != spec.vectorizer.properties


def _another_text(schema: Mapping[str, Any], vector_name: str, recipe: TextRecipe) -> bool:
    try:
        found = server_rules(schema, vector_name)
    except ValueError:
        return True
    if found is None or recipe.server is None:
        return True
    return (found[0], replace(found[1], lower=recipe.server.lower)) != (recipe.properties, recipe.server)
