"""What applications get wrong when they write, and what must be left of it: nothing. For the fakes and a real Weaviate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.memory_world import LIVE_SCHEMA, NEW, OLD, World, key_of, make_world
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Mode
from vecferry.domain.shadow import ShadowSpec
from vecferry.errors import BadInput
from vecferry.ports import VectorStore
from vecferry.router import Router
from vecferry.steps import stage_runner

KEY, THERE = key_of("bad"), key_of("there")
GOOD = {"body": "copper lantern"}
TENANT = "tom"
_VECTOR = (1.0,) * 64
Write = Callable[[Router, str | None], Any]


def _put(properties: Any = None, *, key: Any = KEY, **more: Any) -> Write:
    return lambda router, tenant: router.put(key, GOOD if properties is None else properties, tenant=tenant, **more)


def _vector(vector: Any) -> Write:
    return _put(vector=vector)


def _change(keys: Any) -> Write:
    def run(router: Router, tenant: str | None) -> None:
        with router.change(keys, tenant=tenant):
            pytest.fail("the block must not run")

    return run


NAMED_HERE: dict[str, tuple[Write, str]] = {
    "no text": (_put({"views": 1}), "Docs/.*: the object has no text in body"),
    "empty text": (_put({"body": " \n"}), "the object has no text in body"),
    "text that is a number": (_put({"body": 7}), "property 'body' is embedded and must be text, not int"),
    "a list with a number": (_put({"body": ["a", 7]}), "property 'body' is embedded and must be text, not int"),
    "no properties": (_put([]), "the properties are of type list"),
    "our stamp": (_put(GOOD | {"embedding_model": "y"}), "the property names embedding_model are reserved"),
    "a name that is no text": (_put(GOOD | {7: "y"}), "the property name 7 is no text"),
    "a date as an object": (
        _put(GOOD | {"title": datetime(2026, 1, 1, tzinfo=UTC)}),
        r"property 'title' cannot be sent as JSON \(.*datetime.*RFC 3339",
    ),
    "not a number": (_put(GOOD | {"views": float("nan")}), "property 'views' cannot be sent as JSON"),
    "half a character": (_put({"body": "\ud800"}), "property 'body' cannot be sent as JSON"),
    "a short vector": (_vector((1.0, 2.0)), "the vector has 2 dimensions; openai/old-model@64 has 64"),
    "a vector of words": (_vector(["a"] * 64), "the vector is of type list and no list of numbers"),
    "a number for a vector": (_vector(7), "the vector is of type int and no list of numbers"),
    "a ragged vector": (_vector([[1.0], [1.0, 2.0]]), "and no list of numbers"),
    "a vector of zeros": (_vector([0.0] * 64), "nothing but zeros"),
    "an endless vector": (_vector((*_VECTOR[1:], 1e300)), "not finite"),
    "an id that is none": (_put(key="17"), "'17' is not a UUID"),
    "an id that is nothing": (_put(key=None), "None is not a UUID"),
    "an id to delete": (lambda router, tenant: router.delete("17", tenant=tenant), "'17' is not a UUID"),
    "an id to update": (lambda router, tenant: router.update("17", GOOD, tenant=tenant), "'17' is not a UUID"),
    "an id among many": (lambda router, tenant: router.delete_many([THERE, "17"], tenant=tenant), "'17' is not a UUID"),
    "an id to change": (_change([THERE, "17"]), "'17' is not a UUID"),
    "no pairs": (lambda router, tenant: router.put_many([KEY], tenant=tenant), "put_many takes pairs"),
    "one of many": (
        lambda router, tenant: router.put_many([(KEY, GOOD), (key_of("other"), {"views": 1})], tenant=tenant),
        f"Docs/{key_of('other')}: the object has no text",
    ),
    "twice": (lambda router, tenant: router.put_many([(KEY, GOOD)] * 2, tenant=tenant), f"stands twice in put_many: {KEY}"),
    "an update to a number": (lambda router, tenant: router.update(THERE, {"body": 7}, tenant=tenant), "must be text, not int"),
    "an update to no text": (
        lambda router, tenant: router.update(THERE, {"body": None}, tenant=tenant),
        f"Docs/{THERE}: the update would leave no text in body",
    ),
    "an update of a stamp": (
        lambda router, tenant: router.update(THERE, {"embedded_at": "now"}, tenant=tenant),
        "the property names embedded_at are reserved",
    ),
}
"""By what is wrong: the write, and what it is answered with before anything was asked of the store."""

NAMED_BY_THE_STORE: dict[str, tuple[Write, str]] = {
    "an undeclared property": (_put(GOOD | {"colour": "red"}), "no such prop with name 'colour'"),
    "a reserved name": (_put(GOOD | {"id": "7"}), "no such prop with name 'id'"),
    "a word for a number": (_put(GOOD | {"views": "seven"}), "invalid integer property 'views'"),
    "a text for a list": (_put(GOOD | {"tags": "a"}), "invalid text array property 'tags'"),
    "an update to a word": (
        lambda router, tenant: router.update(THERE, {"views": "seven"}, tenant=tenant),
        "invalid integer property 'views'",
    ),
}
"""What takes the collection's schema to know."""

OF_NO_TENANT: dict[str, Write] = {
    "put": lambda router, tenant: router.put(KEY, GOOD, tenant=tenant),
    "put_many": lambda router, tenant: router.put_many([(KEY, GOOD), (key_of("other"), GOOD)], tenant=tenant),
    "update": lambda router, tenant: router.update(THERE, GOOD, tenant=tenant),
    "delete": lambda router, tenant: router.delete(THERE, tenant=tenant),
    "delete_many": lambda router, tenant: router.delete_many([key_of(n) for n in range(30)], tenant=tenant),
    "change": _change([THERE]),
}


@dataclass
class Writable:
    """A router on a collection that a migration copies, with one object in it; ``tenant`` has it, where there are tenants."""

    world: World
    router: Router
    migration: Migration
    tenant: str | None

    def refused(self, write: Write, words: str, *, tenant: str | type[Ellipsis] | None = ...) -> None:  # type: ignore[assignment]
        """The write is refused in these words, and everything is as it was: no row, no object, no wait for Q."""
        before = self._everything()
        with pytest.raises(BadInput, match=words):
            write(self.router, self.tenant if tenant is ... else tenant)  # type: ignore[arg-type]
        assert not self.world.ledger.rows(self.migration.id, limit=10)
        assert self._everything() == before
        assert self.router._membership.operations.unknown == 0

    def still_writes(self) -> None:
        self.router.put(KEY, GOOD, tenant=self.tenant)
        while self.router._queue.run_once():
            pass
        assert [KEY in side for side in self._everything()] == [True, True]
        assert not self.world.ledger.rows(self.migration.id, limit=10)

    def _everything(self) -> list[dict[str, Any]]:
        spec = self.migration.spec
        return [self._objects(collection) for collection in (spec.live, spec.shadow)]

    def _objects(self, collection: str) -> dict[str, Any]:
        keys = [KEY, THERE, key_of("other")]
        return self.world.store.read(collection, keys, tenant=self.tenant)


def writable(store: VectorStore, live: str, *, tenant: str | None = None) -> Writable:
    """Makes the collection ``live``, its shadow ``{live}_v2`` and the migration, up to dual-writing."""
    world = make_world(0)
    world.store, world.ports = store, replace(world.ports, store=store)  # type: ignore[assignment]
    store.create(_schema(live, tenants=tenant is not None))
    if tenant is not None:
        store.add_tenants(live, {tenant: "ACTIVE"})
    recipe = TextRecipe(("body",))
    world.ledger.save_pin(Pin("Docs", live, OLD.space, recipe), who="test", why="test")
    router = world.router()
    router.put(THERE, {"body": "winter harbour", "views": 1}, tenant=tenant)
    spec = ShadowSpec(live, f"{live}_v2", recipe, NEW.space)
    planned = Migration(f"m-{live}", "Docs", Phase.PLANNED, 1, spec, OLD.space)
    migration = world.ledger.start_migration(planned, who="test", why="test")
    stage_runner.act("create_shadow", world.ports, migration.id)
    migration = world.ledger.move(migration, Phase.SHADOW_CREATED, who="test", why="test")
    world.ledger.move(migration, Phase.DUAL_WRITING, who="test", why="test", routing=(Mode.DUAL, 0))
    router.refresh()
    return Writable(world, router, world.ledger.migration(migration.id), tenant)


def _schema(live: str, *, tenants: bool) -> dict[str, Any]:
    tags = {"name": "tags", "dataType": ["text[]"]}
    schema = LIVE_SCHEMA | {"class": live, "properties": [*LIVE_SCHEMA["properties"], tags]}
    if not tenants:
        return schema
    del schema["shardingConfig"]  # a tenant is a shard; the server refuses both
    return schema | {"multiTenancyConfig": {"enabled": True}}
