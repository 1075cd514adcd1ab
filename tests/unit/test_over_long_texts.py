"""Texts beyond the model's limit: what the plan says of them, what becomes of them, and who says so afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.memory_world import World, key_of, make_world, request, text_of
from vecferry.checks import verify_parity as parity_check
from vecferry.domain.left_out import told
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import STAMP_SKIPPED, UNNAMED, StoredObject
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.sampled_texts import SampledText, figures, tokens_to_pay, warnings
from vecferry.domain.schema import stamp_properties
from vecferry.domain.shadow import ShadowSpec
from vecferry.ports import Purpose
from vecferry.protocol.vectors import vectors_for
from vecferry.steps import doctor, report, stage_runner, verify_parity
from vecferry.steps.left_out import left_out

LONG = {3, 7}


def world_with_long_texts(limit: int = 6) -> World:
    """Twenty objects, of which two are over the new model's ``limit`` of words."""
    world = make_world(20)
    card = world.embedders["new-model"].card
    world.embedders["new-model"]._card = replace(card, max_tokens=limit)
    world.ports = replace(world.ports, catalogue=replace(world.embedders.catalogue, cards=_cards(world, limit)))
    for number in LONG:
        obj = world.live(number)
        body = f"{text_of(number)} and much more than the new model can take"
        world.store.put("Docs", StoredObject(obj.uuid, {**obj.properties, "body": body}, obj.vectors), timeout_s=1)
    return world


def _cards(world, limit):
    return tuple(replace(c, max_tokens=limit) if c.model == "new-model" else c for c in world.embedders.catalogue.cards)


def backfilled(world, **changes):
    migration_id = stage_runner.act("plan", world.ports, request(**changes))["migration_id"]
    for stage in ("create_shadow", "enable_dual_write", "backfill"):
        stage_runner.act(stage, world.ports, migration_id)
        world.walk_to(migration_id, stage_runner.stage_named(stage).gives)
    return world.ledger.migration(migration_id)


# --- the plan


def test_the_plan_says_how_many_of_all_are_too_long_and_what_becomes_of_them():
    world = world_with_long_texts()
    found = stage_runner.act("plan", world.ports, request())
    assert (found["overlong"], found["overlong_estimate"]) == (2, 2)
    assert set(found["overlong_examples"]) == {key_of(number) for number in LONG}
    (said,) = [warning for warning in found["warnings"] if "longer than" in warning]
    assert "2 of 20 sampled texts are longer than the 6 tokens that the model takes" in said
    assert "only their first 6 tokens are embedded" in said


def test_a_sample_is_carried_over_to_all_objects_with_its_upper_bound():
    sample = [SampledText(f"u{n}", 20 if n < 10 else 5, n >= 10) for n in range(500)]
    found = figures(sample, 1_000_000, 8, "skip")
    assert found["overlong_estimate"] == 20_000
    assert 30_000 < found["overlong_estimate_high"] < 35_000  # Wilson, one-sided: 3.3%
    assert "they get no vector" in warnings(found, 500)[0]


def test_no_over_long_text_in_the_sample_does_not_mean_none():
    found = figures([SampledText(f"u{n}", 5, True) for n in range(500)], 1_000_000, 8, "truncate")
    assert found["overlong"] == found["overlong_estimate"] == 0
    assert 5_000 < found["overlong_estimate_high"] < 6_000
    assert warnings(found, 500) == []


@pytest.mark.parametrize(("policy", "paid"), [("truncate", [5, 8, 0]), ("skip", [5, 0, 0]), ("fail", [5, 8, 0])])
def test_what_is_not_sent_is_not_estimated(policy, paid):
    sample = [SampledText("short", 5, True), SampledText("long", 100, False), SampledText("mute", None, True)]
    assert tokens_to_pay(sample, 8, policy) == paid


def test_values_that_are_no_text_are_named_by_the_plan():
    world = make_world(20)
    world.ledger.save_pin(replace(world.ledger.pin("Docs"), recipe=TextRecipe(("body", "views"))), who="tess", why="as it is")
    found = stage_runner.act("plan", world.ports, request())
    assert found["not_text"] == ["views"]
    assert any("views: not text in some objects" in warning for warning in found["warnings"])


# --- recipes


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({"title": "a", "body": "b"}, "a\nb"),
        ({"title": "", "body": "b"}, "b"),
        ({"title": None, "body": ["b", " ", "c"]}, "b\nc"),
        ({"title": 7, "body": True}, None),
        ({"title": "  ", "body": []}, None),
        ({}, None),
    ],
)
def test_a_recipe_over_several_properties_leaves_out_what_is_no_text(properties, text):
    assert TextRecipe(("title", "body")).text_of(properties) == text


# --- the copies


def test_a_truncated_copy_says_so_and_one_of_a_whole_text_does_not():
    world = world_with_long_texts()
    migration = backfilled(world)
    stamps = {n: world.live(n, migration.spec.shadow).stamp(STAMP_SKIPPED) for n in range(20)}
    assert {n for n, stamp in stamps.items() if stamp == "truncated"} == LONG
    assert all(len(world.live(n, migration.spec.shadow).vectors[UNNAMED]) == 64 for n in LONG)
    assert left_out(world.ports, migration.spec.shadow) == {"truncated": 2}


def test_a_vector_that_is_kept_keeps_saying_that_it_is_of_the_beginning():
    """The content changes beside the text: the vector stays, and so must its stamp."""
    world = world_with_long_texts()
    migration = backfilled(world)
    obj, embedder = world.live(3), world.embedders["new-model"]
    world.store.put("Docs", StoredObject(obj.uuid, {**obj.properties, "views": 99}, obj.vectors), timeout_s=1)
    before = embedder.documents
    verify_parity.compare(world.ports, migration, repair=True, sample=0)
    copy = world.live(3, migration.spec.shadow)
    assert (copy.properties["views"], copy.stamp(STAMP_SKIPPED)) == (99, "truncated")
    assert embedder.documents == before


def test_a_text_that_is_shortened_loses_the_stamp():
    world = world_with_long_texts()
    migration = backfilled(world)
    obj = world.live(3)
    world.store.put("Docs", StoredObject(obj.uuid, {**obj.properties, "body": "short"}, obj.vectors), timeout_s=1)
    verify_parity.compare(world.ports, migration, repair=True, sample=0)
    assert world.live(3, migration.spec.shadow).stamp(STAMP_SKIPPED) is None


def test_a_refused_text_is_refused_and_not_truncated():
    world = world_with_long_texts()
    embedder = world.embedders["new-model"]
    embedder.refuses.add(embedder.truncate(world.live(3).properties["body"]))
    migration = backfilled(world)
    assert left_out(world.ports, migration.spec.shadow) == {"truncated": 1, "refused": 1}


def test_a_text_of_which_nothing_would_be_left_gets_no_empty_request():
    world = make_world(1)
    embedder = world.embedders["new-model"]
    embedder._card = replace(embedder.card, max_tokens=0)
    spec = ShadowSpec("Docs", "S", TextRecipe(("body",)), embedder.card.space)
    found = vectors_for(spec, embedder, [world.live(0)], {}, purpose=Purpose.BACKFILL, timeout_s=1)
    assert found.skipped == {key_of(0): "too-long"}
    assert embedder.texts == []


def test_equal_texts_are_sent_once():
    world = make_world(1)
    objects = [StoredObject(key_of(n), {"body": "the same words"}, {}) for n in range(5)]
    embedder = world.embedders["new-model"]
    spec = ShadowSpec("Docs", "S", TextRecipe(("body",)), embedder.card.space)
    found = vectors_for(spec, embedder, objects, {}, purpose=Purpose.BACKFILL, timeout_s=1)
    assert (len(found.found), embedder.texts) == (5, ["the same words"])


# --- who says so


def test_parity_doctor_and_report_count_what_was_cut_and_what_was_skipped():
    world = world_with_long_texts()
    world.store.put("Docs", StoredObject(key_of("mute"), {"views": 1}, {}), timeout_s=1)
    migration = backfilled(world)
    found = verify_parity.act(world.ports, migration.id)
    assert found["left_out"] == {"truncated": 2, "no-text": 1}
    assert report.gather(world.ports, "Docs")["left_out"] == {"truncated": 2, "no-text": 1}
    said = {one.looked_at: one.what for one in doctor.look_over(world.ports, world.ledger.pin("Docs"))}
    expected = "2 truncated (the vector is of the text's beginning), 1 without a vector (no-text)"
    assert said[f"left out in {migration.spec.shadow}"] == expected == told(found["left_out"])


def test_a_parity_pass_that_goes_on_remembers_what_it_counted():
    world = world_with_long_texts()
    migration = backfilled(world)
    seen = verify_parity.compare(world.ports, migration, repair=False, sample=0)
    again = verify_parity.Pass.stopped_at(seen.as_progress())
    assert again.left_out == {"truncated": 2}
    older = {name: value for name, value in seen.as_progress().items() if name != "left_out"}
    assert verify_parity.Pass.stopped_at(older).left_out == {}


def test_the_parity_check_still_measures_the_vector_of_a_truncated_copy():
    """The stamp of a vectorless copy excuses it from having a length; a truncated one has a vector, of the right one."""
    world = world_with_long_texts()
    migration = world.walk_to(backfilled(world).id, Phase.BACKFILLED)
    verify_parity.act(world.ports, migration.id)
    assert parity_check.judge(world.ports, migration).passes
    copy = world.live(3, migration.spec.shadow)
    twice = StoredObject(copy.uuid, copy.properties, {UNNAMED: [2 * x for x in copy.vectors[UNNAMED]]})
    world.store.put(migration.spec.shadow, twice, timeout_s=1)
    assert not parity_check.judge(world.ports, migration).passes


def test_after_retire_the_router_goes_on_saying_so():
    world = world_with_long_texts()
    for definition in stamp_properties():
        world.store.add_property("Docs", definition)
    pin = replace(world.ledger.pin("Docs"), stamped=True)
    world.ledger.save_pin(pin, who="tess", why="as after retire")
    old = world.embedders["old-model"]
    old._card = replace(old.card, max_tokens=4)
    router = world.router()
    router.put(key_of("x"), {"body": "one two three four five"})
    assert world.live("x").stamp(STAMP_SKIPPED) == "truncated"
    router.update(key_of("x"), {"views": 2})
    assert world.live("x").stamp(STAMP_SKIPPED) == "truncated"
    router.update(key_of("x"), {"body": "one two"})
    assert world.live("x").stamp(STAMP_SKIPPED) == ""
    world.stop(router)
