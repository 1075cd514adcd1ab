"""A slow provider costs time, not money: what it was paid for is not fenced away with the rows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.memory_world import NEW, World, make_world, request
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Phase
from vecferry.domain.shadow import differences
from vecferry.steps import backfill, embedding_ahead, stage_runner

OBJECTS = 40


@pytest.fixture
def world() -> World:
    return make_world(objects=OBJECTS)


def dual_writing(world: World) -> str:
    migration_id = str(stage_runner.act("plan", world.ports, request())["migration_id"])
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.DUAL_WRITING)
    return migration_id


def slow(world: World, seconds: float) -> None:
    def wait(method: str, texts: Sequence[str]) -> None:
        world.clock.advance(seconds)

    world.embedders[NEW.model].before = wait


def test_a_provider_that_is_slower_than_the_rows_deadline_is_waited_for_and_paid_once(world: World) -> None:
    migration_id = dual_writing(world)
    slow(world, 10 * world.ports.timings.row_deadline_s)
    before = world.embedders[NEW.model].documents
    backfill.run_all(world.ports, migration_id)
    assert world.embedders[NEW.model].documents - before == OBJECTS
    assert world.ledger.journal_counts(migration_id).get(RowKind.BACKFILL, 0) == 0
    spec = world.ledger.migration(migration_id).spec
    keys = world.store.keys(spec.live, after="", until="f" * 36, limit=1_000)
    live, shadow = (world.store.read(name, keys) for name in (spec.live, spec.shadow))
    assert len(keys) == OBJECTS
    assert not any(differences(spec, live[key], shadow.get(key)) for key in keys)


def test_without_it_the_page_is_fenced_after_it_was_paid_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from vecferry.steps import copying

    monkeypatch.setattr(copying, "embed_ahead", lambda spec, embedder, read, **named: embedding_ahead.EmbeddedAhead(embedder))
    migration_id = dual_writing(world)
    slow(world, 10 * world.ports.timings.row_deadline_s)
    backfill.run_all(world.ports, migration_id)
    assert world.ledger.journal_counts(migration_id)[RowKind.BACKFILL] == OBJECTS, "fenced, and tried again under others"


def test_a_text_that_changed_meanwhile_is_embedded_as_it_is_now(world: World) -> None:
    migration_id = dual_writing(world)
    spec = world.ledger.migration(migration_id).spec
    key = world.store.keys(spec.live, after="", until="f" * 36, limit=1)[0]
    embedder = world.embedders[NEW.model]

    def change_once(method: str, texts: Sequence[str]) -> None:
        embedder.before = None
        obj = world.store.read(spec.live, [key])[key]
        changed = type(obj)(obj.uuid, {**obj.properties, "body": "changed meanwhile"}, obj.vectors)
        world.store.put(spec.live, changed, timeout_s=1)

    embedder.before = change_once
    backfill.run_all(world.ports, migration_id)
    live, shadow = (world.store.read(name, [key])[key] for name in (spec.live, spec.shadow))
    assert shadow.properties["body"] == "changed meanwhile"
    assert differences(spec, live, shadow) == []
    assert "changed meanwhile" in embedder.texts
