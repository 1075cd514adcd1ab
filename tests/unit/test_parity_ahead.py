"""Parity reads a page ahead of what it compares, and asks for the index's queue only where something is not found."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.memory_world import World, make_world, request
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.errors import Retryable
from vecferry.ports import Page
from vecferry.steps import backfill, scanning, stage_runner, verify_parity
from vecferry.steps.page_size import PageSize
from vecferry.steps.reembedding import VectorOf

LAST_KEY = "f" * 36


@pytest.fixture
def world() -> World:
    return make_world(20)


@pytest.fixture
def migration(world: World, monkeypatch: pytest.MonkeyPatch) -> Migration:
    """All copied, in four pages."""
    monkeypatch.setattr(verify_parity, "_PAGE", 5)
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.SHADOW_CREATED)
    stage_runner.act("enable_dual_write", world.ports, migration_id)
    backfill.run_all(world.ports, migration_id)
    return world.ledger.migration(migration_id)


def keys_of(world: World, migration: Migration) -> list[str]:
    return world.store.keys(migration.spec.shadow, after="", until=LAST_KEY, limit=100)


def compared_while_the_second_page_is_mended(world: World, migration: Migration) -> verify_parity.Pass:
    """A copy of the second page is missing until the first page has been compared."""
    spec, key = migration.spec, keys_of(world, migration)[7]
    (copy,) = world.store.read(spec.shadow, [key]).values()
    world.store.delete(spec.shadow, key, timeout_s=1)

    def mend(so_far: verify_parity.Pass) -> None:
        if so_far.objects_live == 5:
            world.store.put(spec.shadow, copy, timeout_s=1)

    return verify_parity.compare(world.ports, migration, repair=True, progress=mend, sample=0)


def test_what_was_read_ahead_and_is_gone_when_it_is_compared_is_no_alarm(world: World, migration: Migration) -> None:
    found = compared_while_the_second_page_is_mended(world, migration)
    assert found.differences == 0
    assert world.ledger.events(migration_id=migration.id, what=verify_parity.ALARM) == []


def test_without_the_second_look_it_would_be_one(world: World, migration: Migration, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_parity, "_still_there", lambda ports, migration, found, *_, **__: (found, set()))
    assert compared_while_the_second_page_is_mended(world, migration).differences == 1


def test_every_object_is_compared_whatever_the_pages(world: World, migration: Migration) -> None:
    found = verify_parity.compare(world.ports, migration, repair=False, sample=0)
    assert (found.objects_live, found.objects_shadow, found.differences) == (20, 20, 0)
    world.store.delete(migration.spec.shadow, keys_of(world, migration)[-1], timeout_s=1)
    found = verify_parity.compare(world.ports, migration, repair=False, sample=0)
    assert (found.objects_live, found.objects_shadow, found.differences) == (20, 19, 1)


class Holed:
    """A store whose listing of the first collection shows a key that is deleted in all of them before it is read."""

    def __init__(self, store: Any, key: str, *collections: str) -> None:
        self._store, self._page = store, store.page
        self._key, self._collections = key, collections

    def page(self, collection: str, **place: Any) -> Page:
        found: Page = self._page(collection, **place)
        if collection == self._collections[0] and self._key in found.keys:
            for each in self._collections:
                self._store.delete(each, self._key, timeout_s=1)
            del found.objects[self._key]
        return found


def test_what_lies_behind_an_object_that_is_gone_when_it_is_read_is_compared_all_the_same(
    world: World, migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live lists a, b of a, b, m, c; b goes. The shadow lists a, c: were c the end of the page, nobody would look for m."""
    monkeypatch.setattr(verify_parity, "_PAGE", 2)
    live, shadow = migration.spec.live, migration.spec.shadow
    _, gone, missing, *_ = keys_of(world, migration)
    monkeypatch.setattr(world.store, "page", Holed(world.store, gone, live, shadow).page)
    world.store.delete(shadow, missing, timeout_s=1)
    found = verify_parity.compare(world.ports, migration, repair=False, sample=0)
    assert found.examples == [f"{missing}: missing"]


def test_a_page_of_which_nothing_is_left_does_not_end_a_scan(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "PageSize", lambda most: PageSize(1))
    first = world.store.keys("Docs", after="", until=LAST_KEY, limit=1)[0]
    monkeypatch.setattr(world.store, "page", Holed(world.store, first, "Docs").page)
    pin = world.ledger.pin("Docs")
    seen = scanning.scan(world.store, VectorOf("Docs", pin.vector_name, pin.recipe))
    assert seen.objects == 19


def test_what_is_mended_is_mended_in_parts_that_a_busy_store_takes(
    world: World, migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_parity, "_PAGE", 20)
    monkeypatch.setattr(verify_parity, "_MENDED_TOGETHER", 6)
    for key in keys_of(world, migration):
        world.store.delete(migration.spec.shadow, key, timeout_s=1)
    sizes: list[int] = []
    world.store.before = lambda name, _, call: sizes.append(len(call.objects)) if name == "put_batch" else None
    verify_parity.compare(world.ports, migration, repair=True, sample=0)
    assert sizes == [6, 6, 6, 2]
    assert verify_parity.compare(world.ports, migration, repair=False, sample=0).differences == 0


def test_what_the_index_does_not_find_is_asked_for_again_when_its_queue_is_empty(
    world: World, migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = Late(world.store, keys_of(world, migration)[3])
    monkeypatch.setattr(world.store, "indexed", late.indexed)
    monkeypatch.setattr(world.store, "index_queue", late.index_queue)
    assert verify_parity.compare(world.ports, migration, repair=False, sample=0).unindexed == 0
    assert late.looks == 4  # three at a queue, one at none: not once for each page
    late.for_ever = True
    assert verify_parity.compare(world.ports, migration, repair=False, sample=0).unindexed == 1


def test_a_queue_that_does_not_empty_is_waited_for_only_so_long(
    world: World, migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.store, "indexed", lambda *_, **__: set())
    monkeypatch.setattr(world.store, "index_queue", lambda _: 7)
    with pytest.raises(Retryable, match="still being built"):
        verify_parity.compare(world.ports, migration, repair=False, sample=0)


def test_without_vectors_the_index_is_not_asked_and_contents_are_compared_all_the_same(
    world: World, migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.store, "indexed", lambda *_, **__: set())
    assert verify_parity.compare(world.ports, migration, repair=False, sample=0).unindexed == 20
    assert verify_parity.compare(world.ports, migration, repair=False, sample=0, vectors=False).differences == 0
    world.store.delete(migration.spec.shadow, keys_of(world, migration)[0], timeout_s=1)
    assert verify_parity.compare(world.ports, migration, repair=False, sample=0, vectors=False).differences == 1


class Late:
    """An index that is built in the background: one object is found when the queue has been seen empty, or never."""

    def __init__(self, store: Any, key: str) -> None:
        self._indexed = store.indexed
        self._key = key
        self.looks = 0
        self.for_ever = False

    def index_queue(self, collection: str) -> int:
        self.looks += 1
        return max(0, 4 - self.looks)

    def indexed(self, collection: str, vectors: Any, **place: Any) -> set[str]:
        found: set[str] = self._indexed(collection, vectors, **place)
        return found - ({self._key} if self.for_ever or self.looks < 4 else set())
