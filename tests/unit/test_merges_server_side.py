"""A merge into a live collection that the server vectorizes brings the vector: without one the server would embed by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.memory_world import OLD, World, key_of, make_world, text_of
from vecferry.adapters.memory.embedder import vector_of
from vecferry.adapters.memory.store import Call
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.server_text import ServerText
from vecferry.router import Router, writing


@pytest.fixture
def world() -> World:
    made = make_world(objects=3)
    by_server = TextRecipe(("body",), " ", ServerText("Docs", class_named=False))
    made.ledger.save_pin(replace(made.ledger.pin("Docs"), recipe=by_server), who="test", why="test")
    return made


def merged(world: World, act: Callable[[Router], Any]) -> list[StoredObject]:
    """What is sent to be merged while ``act`` runs."""
    sent: list[StoredObject] = []

    def before(name: str, collection: str, call: Call) -> None:
        if name == "merge":
            sent.extend(call.objects)

    router = world.router()
    world.store.before = before
    act(router)
    world.store.before = lambda name, collection, call: None
    world.stop(router)
    return sent


def test_a_merge_of_something_else_brings_the_vector_that_is_there(world: World) -> None:
    (sent,) = merged(world, lambda router: router.update(key_of(1), {"views": 9}))
    assert sent.vectors == {UNNAMED: vector_of(OLD.space, text_of(1))}
    assert sent.properties == {"views": 9}


def test_without_a_vectorizer_it_brings_none() -> None:
    (sent,) = merged(make_world(objects=3), lambda router: router.update(key_of(1), {"views": 9}))
    assert sent.vectors == {}


def test_a_text_that_another_writer_changes_meanwhile_ends_with_its_own_vector(world: World) -> None:
    newer = "winter lantern of another writer"

    def update(router: Router) -> None:
        hook, turns = world.store.before, []

        def before(name: str, collection: str, call: Call) -> None:
            hook(name, collection, call)
            if name == "merge" and not turns:
                turns.append(1)
                world.store.put(
                    "Docs", StoredObject(key_of(1), {"body": newer}, {UNNAMED: vector_of(OLD.space, newer)}), timeout_s=1
                )

        world.store.before = before
        router.update(key_of(1), {"views": 9})

    assert len(merged(world, update)) == 2
    stored = world.live(1)
    assert stored is not None
    assert stored.properties == {"body": newer, "views": 9}
    assert stored.vectors[UNNAMED] == vector_of(OLD.space, newer)


def test_without_the_rule_nothing_is_brought(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_against_the_servers_own", lambda pin, current: {})
    (sent,) = merged(world, lambda router: router.update(key_of(1), {"views": 9}))
    assert sent.vectors == {}
