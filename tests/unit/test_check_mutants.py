"""Each gate passes on a sound migration, turns red under a mutant of the world, and never passes on nothing."""

from __future__ import annotations

import importlib
from dataclasses import replace
from datetime import date

import pytest

from tests.support.memory_world import LIVE_SCHEMA, World, golden_rows, key_of, make_world, request, text_of
from vecferry.checks import gates
from vecferry.checks import roll_back as roll_back_check
from vecferry.domain.lifecycle import Migration
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.routing import Arm
from vecferry.domain.telemetry import Observation
from vecferry.domain.verdicts import Outcome, Verdict
from vecferry.steps import discard, roll_back, stage_runner
from vecferry.steps.create_shadow import marker

ROAD = (
    "create_shadow",
    "enable_dual_write",
    "backfill",
    "verify_parity",
    "validate_golden_set",
    "cut_over_5",
    "cut_over_25",
    "cut_over_100",
    "retire",
)
GATED = ("check_deprecation", "plan", *ROAD, "roll_back", "discard")


def at(stage: str) -> tuple[World, Migration]:
    """A world whose acts are done up to and including ``stage``, users having searched where they were served."""
    world = make_world(60)
    world.ledger.save_golden("Docs", golden_rows(40))
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    target = {"roll_back": "cut_over_5", "discard": "backfill"}.get(stage, stage)
    for name in ROAD if target in ROAD else ():
        stage_runner.act(name, world.ports, migration_id)
        percent = stage_runner.stage_named(name).percent
        if percent:
            search(world, percent)
        assert stage_runner.ready(name, world.ports, migration_id).done
        if name == target:
            break
        if stage_runner.stage_named(name).moved_by == "check":
            world.walk_to(migration_id, stage_runner.stage_named(name).gives)
    if stage == "roll_back":
        roll_back.act(world.ports, migration_id, who="tess", why="a test")
    if stage == "discard":
        discard.act(world.ports, migration_id, who="tess", why="a test")
    return world, world.ledger.migration(migration_id)


def search(world: World, percent: int) -> None:
    router = world.router()
    for number in range(max(100, 6000 // percent)):
        router.search(text_of(number % 60), key=f"user-{number}")
    world.stop(router)


def judge(stage: str, world: World, migration: Migration) -> Verdict:
    if stage == "check_deprecation":
        return gates.judge_request(world.ports, request())
    if stage == "roll_back":
        return roll_back_check.judge(world.ports, migration)
    return gates.judge(stage, world.ports, migration)


@pytest.mark.parametrize("stage", GATED)
def test_a_sound_migration_passes_and_the_same_gate_without_rows_does_not(stage, monkeypatch):
    world, migration = at(stage)
    verdict = judge(stage, world, migration)
    assert verdict.outcome is Outcome.PASS, verdict.reason
    assert verdict.evidence["rows"] > 0

    module = importlib.import_module(
        f"vecferry.checks.{stage.partition('_over_')[0] + '_over' if 'cut_over' in stage else stage}"
    )
    run_suite = module.run_suite
    monkeypatch.setattr(module, "run_suite", lambda name, rows, *rest, **more: run_suite(name, [], *rest, **more))
    empty = judge(stage, world, migration)
    assert empty.outcome is Outcome.NO_DATA, empty.reason
    assert not empty.passes


def put_shadow(world: World, migration: Migration, number: int, **properties: object) -> None:
    obj = world.live(number, migration.spec.shadow)
    changed = StoredObject(obj.uuid, {**obj.properties, **properties}, obj.vectors)
    world.store.put(migration.spec.shadow, changed, timeout_s=1)


def dearer_than_the_budget(world, migration):
    return replace(migration, options={**migration.options, "budget_usd": 1e-9})


def later_than_the_deadline(world, migration):
    return replace(migration, options={**migration.options, "deadline": date(2026, 1, 1).isoformat()})


def over_long_under_fail(world, migration):
    return replace(migration, options={**migration.options, "overlong": "fail"}, plan={**migration.plan, "overlong": 3})


def another_tokenization(world, migration):
    world.store.drop(migration.spec.shadow)
    from vecferry.domain.schema import shadow_schema

    schema = shadow_schema(world.store.schema("Docs"), migration.spec)
    schema["properties"][0]["tokenization"] = "field"
    world.store.create(schema)


def another_models_stamp(world, migration):
    for number in range(60):
        if world.live(number, migration.spec.shadow) is not None:
            put_shadow(world, migration, number, embedding_model="cohere/somebody-else@64")
            return


def another_content(world, migration):
    for number in range(60):
        if world.live(number, migration.spec.shadow) is not None:
            put_shadow(world, migration, number, body="not what live says")
            return


def a_vector_of_another_norm(world, migration):
    obj = world.live(3, migration.spec.shadow)
    twice = StoredObject(obj.uuid, obj.properties, {UNNAMED: [2 * x for x in obj.vectors[UNNAMED]]})
    world.store.put(migration.spec.shadow, twice, timeout_s=1)


def a_missing_object(world, migration):
    world.store.delete(migration.spec.shadow, key_of(5), timeout_s=1)


def an_open_chunk(world, migration):
    world.ledger.reopen_chunks(migration.id)


def rows_lost_in_a_chunk(world, migration):
    (chunk,) = world.ledger.chunks(migration.id)
    claimed = world.ledger.claim_chunk(chunk, owner="test")
    world.ledger.checkpoint(replace(claimed, rows_out=claimed.rows_in - 1))


def a_query_without_measurement(world, migration):
    rows = world.ledger.measurements(migration.id, "validate_golden_set")
    world.ledger.save_measurements(migration.id, "validate_golden_set", rows[1:])


def much_worse_answers(world, migration):
    rows = [dict(row) for row in world.ledger.measurements(migration.id, "validate_golden_set")]
    for row in rows:
        row["ndcg_at_10"] = 0.0 if row["arm"] == "shadow" else 1.0
    world.ledger.save_measurements(migration.id, "validate_golden_set", rows)


def errors_for_users(world, migration):
    version = world.ledger.snapshot("Docs").routing.version
    world.ledger.observe([Observation("Docs", version, Arm.SHADOW, queries=200, errors=200)], router_id="r")


def fallbacks_for_users(world, migration):
    version = world.ledger.snapshot("Docs").routing.version
    seen = Observation("Docs", version, Arm.SHADOW, queries=200, fallbacks=200, latency={3: 200})
    world.ledger.observe([seen], router_id="r")


def queries_of_another_space(world, migration):
    """Finite, normalised, of the right length: only quality can tell."""
    embedder = world.embedders["new-model"]
    right = embedder.embed_query
    embedder.embed_query = lambda text, *, timeout_s: tuple(reversed(right(text, timeout_s=timeout_s)))


def a_second_space_in_the_collection(world, migration):
    put_shadow(world, migration, 3, embedding_model="cohere/somebody-else@64")


def a_shadow_that_goes_on_serving(world, migration):
    version = world.ledger.snapshot("Docs").routing.version
    world.ledger.observe([Observation("Docs", version, Arm.SHADOW, queries=1, served=1)], router_id="r")


def a_shadow_that_still_stands(world, migration):
    world.store.create({**LIVE_SCHEMA, "class": migration.spec.shadow, "description": marker(migration.id)})


def an_alias_that_means_the_shadow(world, migration):
    world.store.create({**LIVE_SCHEMA, "class": migration.spec.shadow})
    world.store.set_alias("Docs_alias", migration.spec.shadow)


def a_live_collection_that_is_gone(world, migration):
    world.store.drop("Docs")


def a_fifth_of_live_that_is_gone(world, migration):
    for number in range(12):
        world.store.delete("Docs", key_of(number), timeout_s=1)


def a_property_of_live_with_another_tokenization(world, migration):
    schema = world.store.schema("Docs")
    objects = world.store.read("Docs", [key_of(number) for number in range(60)])
    schema["properties"][0]["tokenization"] = "lowercase"
    world.store.drop("Docs")
    world.store.create(schema)
    for obj in objects.values():
        world.store.put("Docs", obj, timeout_s=1)


def a_live_object_without_its_vector(world, migration):
    obj = world.live(3)
    world.store.put("Docs", StoredObject(obj.uuid, obj.properties, {}), timeout_s=1)


def a_third_of_live_with_other_contents(world, migration):
    for number in range(20):
        obj = world.live(number)
        changed = StoredObject(obj.uuid, {**obj.properties, "body": "of nobody"}, obj.vectors)
        world.store.put("Docs", changed, timeout_s=1)


def a_live_collection_that_takes_no_writes(world, migration):
    world.store.set_read_only("Docs", True)


@pytest.mark.parametrize(
    ("stage", "mutate"),
    [
        ("plan", dearer_than_the_budget),
        ("plan", later_than_the_deadline),
        ("plan", over_long_under_fail),
        ("create_shadow", another_tokenization),
        ("enable_dual_write", another_models_stamp),
        ("enable_dual_write", another_content),
        ("backfill", an_open_chunk),
        ("backfill", rows_lost_in_a_chunk),
        ("verify_parity", a_missing_object),
        ("verify_parity", another_models_stamp),
        ("verify_parity", another_content),
        ("verify_parity", a_vector_of_another_norm),
        ("validate_golden_set", a_query_without_measurement),
        ("validate_golden_set", much_worse_answers),
        ("cut_over_5", errors_for_users),
        ("cut_over_25", fallbacks_for_users),
        ("cut_over_25", queries_of_another_space),
        ("cut_over_100", queries_of_another_space),
        ("retire", a_second_space_in_the_collection),
        ("roll_back", a_shadow_that_goes_on_serving),
        ("discard", a_shadow_that_still_stands),
        ("discard", an_alias_that_means_the_shadow),
        ("discard", a_live_collection_that_is_gone),
        ("discard", a_fifth_of_live_that_is_gone),
        ("discard", a_property_of_live_with_another_tokenization),
        ("discard", a_live_object_without_its_vector),
        ("discard", a_third_of_live_with_other_contents),
        ("discard", a_live_collection_that_takes_no_writes),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_mutant_turns_the_gate_red(stage, mutate):
    world, migration = at(stage)
    migration = mutate(world, migration) or migration
    verdict = judge(stage, world, migration)
    assert verdict.outcome is Outcome.FAIL, verdict.reason
    assert not verdict.passes


def test_what_an_application_does_while_a_discard_is_judged_is_no_fault():
    """It writes, deletes, and adds a property of its own."""
    world, migration = at("discard")
    world.store.delete("Docs", key_of(1), timeout_s=1)
    obj = world.live(2)
    world.store.put("Docs", StoredObject(obj.uuid, {**obj.properties, "body": "changed"}, obj.vectors), timeout_s=1)
    world.store.add_property("Docs", {"name": "colour", "dataType": ["text"]})
    verdict = judge("discard", world, migration)
    assert verdict.outcome is Outcome.PASS, verdict.reason


def test_a_discard_that_noted_nothing_beforehand_does_not_pass():
    world, migration = at("discard")
    world.ledger.save_measurements(migration.id, "discard", [])
    assert not judge("discard", world, migration).passes


def test_a_discard_that_is_run_again_does_not_take_what_is_left_for_what_there_was():
    world, migration = at("discard")
    a_fifth_of_live_that_is_gone(world, migration)
    discard.act(world.ports, migration.id, who="tess", why="again")
    assert judge("discard", world, migration).outcome is Outcome.FAIL


def test_a_replacement_that_the_catalogue_does_not_know_turns_the_first_gate_red():
    world = make_world()
    verdict = gates.judge_request(world.ports, request(to_model="nobody-knows-it"))
    assert verdict.outcome is Outcome.FAIL
    assert "replacement_known" in verdict.reason


def test_a_failed_gate_names_rows_and_columns_in_several_lines():
    world, migration = at("verify_parity")
    a_missing_object(world, migration)
    reason = judge("verify_parity", world, migration).reason
    assert len(reason.splitlines()) > 2
    assert key_of(5) in reason
    assert "present" in reason
