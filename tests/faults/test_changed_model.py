"""A model that changes under its name between two gates, and back: nothing of what it said meanwhile is stored."""

from __future__ import annotations

from dataclasses import replace

from tests.faults.fault_world import LIVE, FaultWorld, expect
from tests.support.memory_world import NEW, OLD
from vecferry.adapters.memory.embedder import vector_of
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.fingerprint import TEXTS
from vecferry.domain.spaces import EmbeddingSpace
from vecferry.errors import ModelChanged, NotWritten

OTHER = EmbeddingSpace("somebody", "else", 64)


def test_a_page_of_the_backfill_that_a_changed_model_answered(world: FaultWorld) -> None:
    """Each answer is held against the fingerprint: the page is embedded again, under no row yet."""
    world.plan()
    world.dual_write()
    world.copier("B1")
    world.s.run("B1", until="embed_documents S")
    error = answered_otherwise(world, "B1", NEW)
    world.copier("B2")
    world.s.run("B2")
    world.settle()
    expect(not foreign(world, world.migration.spec.shadow), "every vector is of the space that its stamp names")
    expect(isinstance(error, ModelChanged), "the worker is told why nothing was stored")


def test_a_dual_write_that_a_changed_model_answered(dual: FaultWorld) -> None:
    """The application's write stands, its row stays, and the janitor gives the right vector."""
    dual.writer("W0", "a", "one")
    dual.s.run("W0", until="embed_documents S")
    answered_otherwise(dual, "W0", NEW)
    covered = dual.covered("a")
    dual.settle()
    expect(not foreign(dual, dual.migration.spec.shadow), "every vector is of the space that its stamp names")
    expect(covered, "the key had its row meanwhile")
    expect(dual.shadow("a") == "one", "the shadow has followed")


def test_a_janitor_that_a_changed_model_answered(dual: FaultWorld) -> None:
    """It leaves the row that it has taken over."""
    dual.writer("W0", "a", "one")
    dual.s.run("W0", until="embed_documents S")
    dual.s.crash("W0")
    janitor = dual.janitor("J")
    janitor.run_once()
    dual.clock.advance(dual.ports.timings.takeover_s + 1)
    dual.s.actor("J", janitor.run_once)
    dual.s.run("J", until="embed_documents S")
    answered_otherwise(dual, "J", NEW)
    dual.settle()
    expect(not foreign(dual, dual.migration.spec.shadow), "every vector is of the space that its stamp names")


def test_a_live_write_that_a_changed_model_answered(dual: FaultWorld) -> None:
    """By the pin's fingerprint: the application is told, and nothing is written."""
    taken = tuple(vector_of(OLD.space, text) for text in TEXTS)
    dual.ledger._ledger.save_pin(replace(dual.ledger.pin(LIVE), fingerprint=taken), who="test", why="test")
    dual.writer("W0", "a", "one")
    dual.s.run("W0", until="embed_documents L")
    error = answered_otherwise(dual, "W0", OLD)
    dual.settle()
    expect(not foreign(dual, LIVE), "every vector of live is of the pin's space")
    expect(isinstance(error, NotWritten) and dual.live("a") is None, "it did not happen, and the application knows")


def answered_otherwise(world: FaultWorld, actor: str, card: ModelCard) -> BaseException | None:
    """The request that the actor has sent is answered in another space; from then on the model is as before."""
    world.embedders[card.model].answers_in = OTHER
    try:
        return world.s.run_out(actor)
    finally:
        world.embedders[card.model].answers_in = card.space


def foreign(world: FaultWorld, collection: str) -> list[str]:
    space = OLD.space if collection == LIVE else NEW.space
    found = world.store.read(collection, world.store.keys(collection, after="", until="f" * 36, limit=1000))
    return [str(obj.properties["body"]) for obj in found.values() if not _is_of(space, obj.vectors[""], obj.properties["body"])]


def _is_of(space: EmbeddingSpace, vector: tuple[float, ...], text: str) -> bool:
    return sum(a * b for a, b in zip(vector, vector_of(space, text), strict=True)) > 0.999
