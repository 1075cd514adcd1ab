"""Vectors of another model of the same length, under stamps that say otherwise: parity finds, names and mends them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.cli_world import NEW, OLD, World, document
from vecferry.adapters.memory.embedder import vector_of
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Phase
from vecferry.domain.mixing import found_from, sample_to_find
from vecferry.domain.objects import UNNAMED
from vecferry.errors import NeedsPerson
from vecferry.steps import verify_parity


@pytest.fixture
def filled() -> World:
    return World(1_000).started().proven_up_to(Phase.BACKFILLED)


def of_the_old_model(world: World, *numbers: int) -> set[str]:
    """Somebody copied vectors over by hand; everything else stays as vecferry wrote it."""
    shadow, odd = world.migration.spec.shadow, [document(number) for number in numbers]
    for stored in world.store.read(shadow, [one.uuid for one in odd]).values():
        text = f"{stored.properties['title']}\n{stored.properties['body']}"
        world.store.put(shadow, replace(stored, vectors={UNNAMED: vector_of(OLD.space, text)}), timeout_s=1)
    return {one.uuid for one in odd}


def test_verify_finds_counts_and_names_a_mix_of_one_percent(filled: World) -> None:
    odd = of_the_old_model(filled, *range(7, 1_000, 100))
    said = filled.run("verify", "Docs", "--json")
    assert said.code == 1
    evidence = said.json["evidence"]
    assert evidence["kinds"] == {"foreign vector": evidence["foreign"]}
    assert {example.partition(":")[0] for example in evidence["examples"]} <= odd
    whole = filled.run("verify", "Docs", "--sample", "all", "--json").json["evidence"]
    assert (whole["foreign"], whole["reembedded"]) == (10, 1_000)
    assert {example.partition(":")[0] for example in whole["examples"]} == odd


def test_verify_mends_what_it_finds_and_the_next_pass_is_clean(filled: World) -> None:
    odd = of_the_old_model(filled, *range(7, 1_000, 100))
    mended = filled.done("verify", "Docs", "--sample", "all", "--repair")["evidence"]
    assert (mended["passes"], mended["foreign"]) == (2, 0)
    for uuid, stored in filled.store.read(filled.migration.spec.shadow, sorted(odd)).items():
        text = f"{stored.properties['title']}\n{stored.properties['body']}"
        assert stored.vectors[UNNAMED] == pytest.approx(vector_of(NEW.space, text)), uuid
    (alarm,) = [event for event in filled.ledger.events(migration_id=filled.migration.id) if event.what == "parity_alarm"]
    assert alarm.detail["examples"][0].partition(":")[0] in odd
    assert filled.done("verify", "Docs", "--sample", "all")["outcome"] == "PASS"


def test_the_furthest_off_are_found_though_the_sample_misses_them(filled: World) -> None:
    shadow, uuid = filled.migration.spec.shadow, document(500).uuid
    stored = filled.store.read(shadow, [uuid])[uuid]
    opposite = [-x for x in stored.vectors[UNNAMED]]
    filled.store.put(shadow, replace(stored, vectors={UNNAMED: opposite}), timeout_s=1)
    evidence = filled.run("verify", "Docs", "--sample", "1", "--json").json["evidence"]
    assert evidence["examples"] == [f"{uuid}: foreign vector"]


def test_a_key_with_a_row_is_in_hand_and_no_alarm(filled: World) -> None:
    (uuid,) = of_the_old_model(filled, 7)
    filled.ledger.open_rows(filled.migration.id, [uuid], tenant=None, owner="an application", kind=RowKind.WRITE)
    assert filled.done("verify", "Docs", "--sample", "all")["evidence"]["foreign"] == 0


def test_a_model_that_changed_under_its_name_is_not_mended_by_the_changed_model(filled: World) -> None:
    of_the_old_model(filled, *range(0, 1_000, 5))
    with pytest.raises(NeedsPerson, match="200 of 1,000 vectors are not what sandbox/sandbox-char-2@16 gives now"):
        verify_parity.act(filled.ports, filled.migration.id, sample=None)
    assert not filled.ledger.rows(filled.migration.id, limit=1)


def test_a_repair_that_keeps_the_stored_vector_mends_nothing(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_keys = verify_parity.copy_keys
    monkeypatch.setattr(verify_parity, "copy_keys", lambda *given, reinsert, **named: copy_keys(*given, **named))
    of_the_old_model(filled, 7)
    with pytest.raises(NeedsPerson, match="after 5 passes 1 differences are left"):
        verify_parity.act(filled.ports, filled.migration.id, sample=None)


@pytest.mark.parametrize(("share", "sample"), [(0.01, 299), (0.001, 2_995), (0.05, 59)])
def test_how_many_to_look_at(share: float, sample: int) -> None:
    assert sample_to_find(share) == sample
    assert found_from(sample) == pytest.approx(share, rel=0.01)
    assert found_from(0) == 1.0
