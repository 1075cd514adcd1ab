"""A model that answers differently under its old name is noticed at the next gate, and nothing more is built on it."""

from __future__ import annotations

import pytest

from tests.support.cli_world import NEW, World
from vecferry.adapters.memory.embedder import MemoryEmbedder, vector_of
from vecferry.domain.fingerprint import TEXTS
from vecferry.domain.lifecycle import Phase
from vecferry.errors import Paused
from vecferry.steps import model_drift, stage_runner

GATES = ("backfill", "verify_parity", "cut_over_25", "retire")


@pytest.fixture
def verified() -> World:
    return World().started().proven_up_to(Phase.VERIFIED)


def changed(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(self: MemoryEmbedder, text: str) -> tuple[float, ...]:
        return tuple(-x for x in vector_of(self.card.space, text)) if self.card is NEW else vector_of(self.card.space, text)

    monkeypatch.setattr(MemoryEmbedder, "_answer", answer)


def test_the_first_gate_takes_the_fingerprint_before_the_first_vector() -> None:
    world = World().started()
    assert model_drift.fingerprint_of(world.ports, world.migration.id) == ()
    world.stepped("create_shadow", "enable_dual_write")
    expected = tuple(vector_of(NEW.space, text) for text in TEXTS)
    assert model_drift.fingerprint_of(world.ports, world.migration.id) == expected


@pytest.mark.parametrize("stage", GATES)
def test_every_later_gate_pauses(verified: World, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    changed(monkeypatch)
    embedder = verified.embedders["sandbox-char-2"]
    with pytest.raises(Paused, match="has changed under its name: cosine -1"):
        stage_runner.act(stage, verified.ports, verified.migration.id)
    assert "changed under its name" in str(verified.migration.paused)
    assert verified.migration.percent == 0
    assert embedder.texts[-len(TEXTS) :] == list(TEXTS)  # it asked for those, and embedded nothing else with that model


def test_a_model_that_answers_as_before_goes_on_after_an_unpause(verified: World) -> None:
    with pytest.MonkeyPatch.context() as passing:
        changed(passing)
        with pytest.raises(Paused):
            stage_runner.act("verify_parity", verified.ports, verified.migration.id)
    verified.done("unpause", "Docs")
    assert stage_runner.act("verify_parity", verified.ports, verified.migration.id)["foreign"] == 0


def test_the_new_pin_keeps_the_fingerprint(verified: World) -> None:
    from vecferry.steps import retire

    pin = retire._new_pin(verified.ports, verified.migration)
    assert len(pin.fingerprint) == len(TEXTS)
    assert pin.space == NEW.space
