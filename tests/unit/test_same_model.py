"""Every answer whose vectors are stored or compared is of the model that the fingerprint was taken of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.memory_world import NEW, OLD, World, key_of, make_world, request
from vecferry.adapters.memory.embedder import MemoryEmbedders, vector_of
from vecferry.domain.fingerprint import MEASURED, TEXTS, Witness, witness_of
from vecferry.domain.lifecycle import Phase
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.errors import ModelChanged, NotWritten, Retryable
from vecferry.ports import Purpose
from vecferry.protocol.same_model import OfMigration, confirmed
from vecferry.steps import backfill, model_drift, stage_runner

OTHER = EmbeddingSpace("somebody", "else", 64)
FOX = "The quick brown fox jumps over the lazy dog."


def fingerprint(space: EmbeddingSpace) -> tuple[tuple[float, ...], ...]:
    return tuple(vector_of(space, text) for text in TEXTS)


@pytest.fixture
def dual() -> tuple[World, str]:
    """Dual-writing; nothing is copied yet. The gates have taken the new model's fingerprint."""
    world = make_world(6)
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.SHADOW_CREATED)
    stage_runner.act("enable_dual_write", world.ports, migration_id)
    return world, migration_id


def foreign_in(world: World, collection: str) -> list[str]:
    space = NEW.space if collection != "Docs" else OLD.space
    found = world.store.read(collection, world.store.keys(collection, after="", until="f" * 36, limit=100))
    return [key for key, obj in found.items() if obj.vectors[""] != vector_of(space, str(obj.properties["body"]))]


def changes(world: World, requests: int) -> None:
    """The new model answers so many requests in another space, and then as before."""
    embedder = world.embedders[NEW.model]
    left = requests

    def before(method: str, texts: object) -> None:
        nonlocal left
        embedder.answers_in = OTHER if left else NEW.space
        left = max(0, left - 1)

    embedder.before = before


# --- the witness ------------------------------------------------------------------------------------------------------


def test_the_witness_is_the_shortest_text_that_the_model_has_a_vector_for() -> None:
    whole = fingerprint(NEW.space)
    assert witness_of(whole) == Witness(FOX, vector_of(NEW.space, FOX))
    without = tuple(() if text == FOX else vector for text, vector in zip(TEXTS, whole, strict=True))
    second = witness_of(without)
    assert second is not None
    assert second.text == TEXTS[0]
    assert witness_of(()) is None
    assert witness_of(((),) * len(TEXTS)) is None


def test_an_answer_like_the_first_is_confirmed_though_not_bit_identical() -> None:
    witness = Witness(FOX, vector_of(NEW.space, FOX))
    shaken = tuple(x + 0.001 * (-1) ** i for i, x in enumerate(witness.vector))
    assert 0.999 < witness.cosine(shaken) < 1.0
    assert confirmed(witness, [(1.0,), (2.0,), shaken], where="m") == ((1.0,), (2.0,))


@pytest.mark.parametrize("said", [vector_of(OTHER, FOX), vector_of(NEW.space, "another text"), (1.0, 0.0)])
def test_an_answer_unlike_the_first_is_named_and_nothing_of_it_is_used(said: tuple[float, ...]) -> None:
    witness = Witness(FOX, vector_of(NEW.space, FOX))
    with pytest.raises(ModelChanged) as caught:
        confirmed(witness, [(1.0,), said], where=NEW.space.id)
    assert f"cosine {witness.cosine(said):.4f} for a fixed text" in caught.value.what
    assert caught.value.where == NEW.space.id
    assert "vecferry doctor" in caught.value.next_action


# --- which reference --------------------------------------------------------------------------------------------------


def test_a_pins_fingerprint_goes_for_its_own_space_alone() -> None:
    embedders = MemoryEmbedders(OLD, NEW)
    pin = Pin("Docs", "Docs", OLD.space, TextRecipe(("body",)), fingerprint=fingerprint(OLD.space))
    for space in (OLD.space, NEW.space):
        embedders.of(space, pin=pin).embed_documents(["a"], purpose=Purpose.WRITE, timeout_s=1)
    assert embedders[OLD.model].texts == ["a", FOX]
    assert embedders[NEW.model].texts == ["a"]


def test_queries_are_not_doubled_and_fingerprints_are_taken_without_a_witness() -> None:
    embedders = MemoryEmbedders(OLD)
    pin = Pin("Docs", "Docs", OLD.space, TextRecipe(("body",)), fingerprint=fingerprint(OLD.space))
    embedders.of(OLD.space, pin=pin).embed_query("a", timeout_s=1)
    embedders.of(OLD.space, pin=pin, witnessed=False).embed_documents(["b"], purpose=Purpose.JUDGE, timeout_s=1)
    assert embedders[OLD.model].texts == ["a", "b"]


def test_a_migrations_fingerprint_is_of_its_new_model_and_read_once(dual: tuple[World, str]) -> None:
    world, migration_id = dual
    of_new = OfMigration(world.ledger, NEW.space, migration_id)
    assert OfMigration(world.ledger, OLD.space, migration_id)() == ()
    assert of_new() == fingerprint(NEW.space)
    world.ledger.save_measurements(migration_id, MEASURED, [])
    assert of_new() == fingerprint(NEW.space)


def test_before_the_first_gate_nothing_more_is_sent() -> None:
    world = make_world(3)
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    early = world.embedders.of(NEW.space, migration_id=migration_id)
    early.embed_documents(["a"], purpose=Purpose.BACKFILL, timeout_s=1)
    assert world.embedders[NEW.model].texts[-1] == "a"
    stage_runner.act("create_shadow", world.ports, migration_id)
    early.embed_documents(["a"], purpose=Purpose.BACKFILL, timeout_s=1)
    assert world.embedders[NEW.model].texts[-1] == FOX


# --- what is stored ---------------------------------------------------------------------------------------------------


def test_a_backfill_stores_nothing_of_a_model_that_changed_in_between(dual: tuple[World, str]) -> None:
    world, migration_id = dual
    changes(world, 1)
    with pytest.raises(ModelChanged):
        backfill.run_all(world.ports, migration_id)
    shadow = world.ledger.migration(migration_id).spec.shadow
    assert world.store.count(shadow) == 0
    assert backfill.run_all(world.ports, migration_id)["rows"] == 6
    assert foreign_in(world, shadow) == []


def test_a_dual_write_leaves_its_row_and_the_janitor_gives_the_right_vector(dual: tuple[World, str]) -> None:
    world, migration_id = dual
    router = world.router()
    router.refresh()
    changes(world, 1)
    receipt = router.put(key_of("w"), {"body": "a new one"})
    router._queue.run_once()
    assert not receipt.wait(0.1)
    assert receipt.progress is not None
    assert isinstance(receipt.progress.error, ModelChanged)
    shadow = world.ledger.migration(migration_id).spec.shadow
    assert world.live("w", shadow) is None
    assert [row.key for row in world.ledger.rows(migration_id, limit=10)] == [key_of("w")]
    router._janitor.run_once()
    world.clock.advance(world.ports.timings.takeover_s + 1)
    router._janitor.run_once()
    assert not world.ledger.rows(migration_id, limit=10)
    assert world.live("w", shadow) is not None
    assert foreign_in(world, shadow) == []


def test_a_live_put_with_a_changed_model_is_named_and_not_written() -> None:
    world = make_world(2)
    pin = replace(world.ledger.pin("Docs"), fingerprint=fingerprint(OLD.space))
    world.ledger.save_pin(pin, who="test", why="test")
    router = world.router()
    world.embedders[OLD.model].answers_in = OTHER
    with pytest.raises(NotWritten, match="the model answers otherwise than when its fingerprint was taken"):
        router.put(key_of("w"), {"body": "a new one"})
    assert world.live("w") is None
    world.embedders[OLD.model].answers_in = OLD.space
    router.put(key_of("w"), {"body": "a new one"})
    assert foreign_in(world, "Docs") == []


# --- the reference itself ---------------------------------------------------------------------------------------------


def test_a_fingerprint_that_was_taken_during_a_passing_change_does_not_stay() -> None:
    world = make_world(2)
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    changes(world, 1)
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.SHADOW_CREATED)
    with pytest.raises(Retryable, match=r"answers otherwise than a moment ago: .* nothing is stored yet"):
        stage_runner.act("enable_dual_write", world.ports, migration_id)
    assert world.ledger.migration(migration_id).phase is Phase.SHADOW_CREATED
    quarantine_s = world.ports.timings.quarantine_s
    with pytest.raises(Retryable, match=r"answered otherwise 0 s ago; nothing is stored yet") as early:
        stage_runner.act("enable_dual_write", world.ports, migration_id)
    assert early.value.retry_after_s == pytest.approx(quarantine_s), "two answers of one fault agree as well"
    world.clock.advance(quarantine_s)
    stage_runner.act("enable_dual_write", world.ports, migration_id)
    assert model_drift.fingerprint_of(world.ports, migration_id) == fingerprint(NEW.space)
    assert world.ledger.migration(migration_id).paused is None
