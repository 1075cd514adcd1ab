"""A memory world whose live collection the server vectorizes itself, by both models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.support.memory_world import LIVE_SCHEMA, NEW, OLD, World, key_of, make_world, text_of
from vecferry.adapters.memory.embedder import vector_of
from vecferry.adapters.memory.store import MemoryStore
from vecferry.domain.objects import StoredObject, Vector
from vecferry.ports import Ledger
from vecferry.steps.server_side import recipe_of

MODULE = "text2vec-openai"
_SPACES = {card.model: card.space for card in (OLD, NEW)}


def server_model(model: str, text: str) -> Vector:
    return vector_of(_SPACES[model], text)


def vectorizing(schema: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """The collection as the server vectorizes it with the old model."""
    given = {"model": OLD.model, "baseURL": "http://provider", "vectorizeClassName": True, **settings}
    return schema | {"vectorizer": MODULE, "moduleConfig": {MODULE: given}}


def pin_by_the_servers_rules(store: MemoryStore, ledger: Ledger, name: str = "Docs") -> None:
    recipe = recipe_of(store.schema(name), "")
    assert recipe is not None
    ledger.save_pin(replace(ledger.pin(name), recipe=recipe), who="test", why="as the server does")


def kept_world(objects: int = 20, **settings: Any) -> World:
    """Its objects were put without vectors: the server has made them. With ``views`` and no text, the last one."""
    world = make_world(0)
    world.store.drop("Docs")
    world.store.create(vectorizing(LIVE_SCHEMA, **settings))
    world.store.server_model = server_model
    for number in range(objects):
        properties = {"body": text_of(number), "views": number}
        world.store.put("Docs", StoredObject(key_of(number), properties, {}), timeout_s=1)
    pin_by_the_servers_rules(world.store, world.ledger)
    return world
