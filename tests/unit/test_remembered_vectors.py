"""A text that many objects share is embedded once a chunk."""

from __future__ import annotations

import pytest

from tests.support.memory_world import NEW, World, make_world, request
from vecferry.adapters.memory.embedder import vector_of
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.steps import backfill, stage_runner
from vecferry.steps.remembered_vectors import RememberedVectors


def test_what_was_unused_longest_makes_room() -> None:
    remembered = RememberedVectors(most_bytes=3 * 8)
    for text in ("a", "b", "c"):
        remembered.put(text, (0.5, float(ord(text))))
    assert remembered.get("a") == (0.5, 97.0)
    remembered.put("d", (0.5, 1.0))
    assert [remembered.get(text) is not None for text in "abcd"] == [True, False, True, True]


def test_the_same_text_again_takes_no_more_room() -> None:
    remembered = RememberedVectors(most_bytes=2 * 8)
    for text in ("a", "b", "b", "b"):
        remembered.put(text, (1.0, 2.0))
    assert remembered.get("a") == (1.0, 2.0)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Twelve objects in pages of two, of which eight have one text."""
    monkeypatch.setattr(backfill, "PAGE", 2)
    made = make_world(12)
    spec_live = made.ledger.pin("Docs").collection
    for key in made.store.keys(spec_live, after="", until="f" * 36, limit=100)[2:10]:
        found = made.store.read(spec_live, [key])[key]
        made.store.put(spec_live, StoredObject(key, {**found.properties, "body": "n/a"}, found.vectors), timeout_s=1)
    return made


def test_a_chunk_embeds_what_its_pages_share_once(world: World) -> None:
    migration_id = str(stage_runner.act("plan", world.ports, request())["migration_id"])
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.DUAL_WRITING)
    before = world.embedders[NEW.model].documents
    backfill.run_all(world.ports, migration_id)
    assert world.embedders[NEW.model].documents - before == 4 + 1
    spec = world.ledger.migration(migration_id).spec
    keys = world.store.keys(spec.shadow, after="", until="f" * 36, limit=100)
    for key, copy in world.store.read(spec.shadow, keys).items():
        assert copy.vectors[UNNAMED] == pytest.approx(vector_of(NEW.space, copy.properties["body"])), key
    assert len(keys) == 12
