"""What a user reads when something cannot be: what, where, and what to do next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.memory_world import LIVE_SCHEMA, OLD, golden_rows, key_of, make_world, request
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.fingerprint import TEXTS
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import STAMP_SKIPPED, UNNAMED, StoredObject
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.errors import BadInput, Conflict, NeedsPerson, NotFound, Paused, Retryable
from vecferry.steps import pin as pin_step
from vecferry.steps import stage_runner, verify_parity


@pytest.fixture
def world():
    return make_world()


def plan(world, **changes):
    return stage_runner.act("plan", world.ports, request(**changes))["migration_id"]


def start(world, **changes):
    """Up to the backfill's end."""
    migration_id = plan(world, **changes)
    for stage in ("create_shadow", "enable_dual_write", "backfill"):
        stage_runner.act(stage, world.ports, migration_id)
        world.walk_to(migration_id, stage_runner.stage_named(stage).gives)
    return world.ledger.migration(migration_id)


def test_an_unknown_collection_names_those_that_exist(world):
    with pytest.raises(NotFound, match=r"Dcos.*Docs"):
        pin_step.act(world.ports, Pin("Dcos", "Dcos", OLD.space, TextRecipe(("body",))), who="t", why="t")


def test_an_unknown_pin_names_those_that_exist(world):
    with pytest.raises(NotFound, match="Docs"):
        plan(world, collection="Dcos")


def test_a_model_of_unknown_dimensions_says_how_to_add_it(world):
    with pytest.raises(NotFound) as refused:
        plan(world, to_model="acme-embed-9")
    assert "model 'acme-embed-9' is not in the catalogue, so its dimensions are unknown" in str(refused.value)
    assert "put a [[model]] entry with provider, model, api and dimensions into the file that VECFERRY_MODELS names" in str(
        refused.value
    )


def test_a_strangers_collection_of_the_shadows_name_is_never_overwritten(world):
    migration = world.ledger.migration(plan(world))
    world.store.create({**LIVE_SCHEMA, "class": migration.spec.shadow, "description": "somebody's"})
    with pytest.raises(NeedsPerson, match=f"a collection {migration.spec.shadow} exists and is not this migration's"):
        stage_runner.act("create_shadow", world.ports, migration.id)
    assert world.store.schema(migration.spec.shadow)["description"] == "somebody's"


def test_live_holding_two_spaces_is_refused_with_counts_per_model(world):
    stamps = [{"name": "embedding_model", "dataType": ["text"], "tokenization": "field", "indexSearchable": False}]
    world.store.create({**LIVE_SCHEMA, "class": "Mixed", "properties": [*LIVE_SCHEMA["properties"], *stamps]})
    for number, model in enumerate(["a/one@64", "a/one@64", "b/two@64"]):
        obj = StoredObject(key_of(number), {"body": "river", "embedding_model": model}, {UNNAMED: [0.1] * 64})
        world.store.put("Mixed", obj, timeout_s=1)
    world.ledger.save_pin(Pin("Mixed", "Mixed", OLD.space, TextRecipe(("body",))), who="t", why="t")
    with pytest.raises(BadInput, match=r"live holds 2 spaces \(a/one@64: 2, b/two@64: 1\)"):
        plan(world, collection="Mixed")


def test_reserved_property_names_are_listed_by_the_plan(world):
    taken = [{"name": "embedding_model", "dataType": ["int"]}, {"name": "embedded_at", "dataType": ["date"]}]
    world.store.create({**LIVE_SCHEMA, "class": "Taken", "properties": [*LIVE_SCHEMA["properties"], *taken]})
    obj = StoredObject(key_of(1), {"body": "river"}, {UNNAMED: [0.1] * 64})
    world.store.put("Taken", obj, timeout_s=1)
    world.ledger.save_pin(Pin("Taken", "Taken", OLD.space, TextRecipe(("body",))), who="t", why="t")
    with pytest.raises(BadInput, match=r"embedded_at[\s\S]*embedding_model|embedding_model[\s\S]*embedded_at"):
        plan(world, collection="Taken")


def test_a_second_migration_on_a_pin_names_the_first(world):
    first = plan(world)
    with pytest.raises(Conflict, match=f"migration {first} to cohere/new-model@64 is under way"):
        plan(world, to_model="old-model")


def test_an_empty_collection_is_refused_with_the_reason():
    with pytest.raises(BadInput, match="Docs: the collection is empty: there is nothing to migrate"):
        plan(make_world(0))


def test_a_collection_of_one_object_is_migrated():
    world = make_world(1)
    migration = start(world)
    assert verify_parity.act(world.ports, migration.id)["objects_shadow"] == 1


def test_moving_to_the_model_that_is_there_already_is_refused(world):
    with pytest.raises(BadInput, match="the collection is in openai/old-model@64 already"):
        plan(world, to_model="old-model")


def short_model(world):
    """The new model takes three words at most."""
    embedder = world.embedders["new-model"]
    embedder._card = replace(embedder.card, max_tokens=3)
    return embedder


def test_over_long_texts_are_counted_with_examples_by_the_plan(world):
    short_model(world)
    planned = stage_runner.act("plan", world.ports, request())
    assert planned["overlong"] == 20
    assert len(planned["overlong_examples"]) == 5


def test_over_long_texts_are_cut_under_truncate(world):
    embedder = short_model(world)
    start(world, overlong="truncate")
    own = [text for text in embedder.texts if text not in TEXTS]  # the fingerprint's are whole
    assert max(len(text.split()) for text in own) == 3


def test_over_long_texts_get_a_vectorless_copy_with_the_reason_under_skip(world):
    short_model(world)
    migration = start(world, overlong="skip")
    copy = world.live(1, migration.spec.shadow)
    assert copy.vectors == {}
    assert copy.stamp(STAMP_SKIPPED) == "too-long"
    assert verify_parity.act(world.ports, migration.id)["differences"] == 0


def test_over_long_texts_stop_the_backfill_under_fail_naming_the_object(world):
    short_model(world)
    with pytest.raises(BadInput, match=r"object [0-9a-f-]{36} has a text longer than 3 tokens"):
        start(world, overlong="fail")


def test_an_object_without_text_is_kept_with_the_reason(world):
    world.store.put("Docs", StoredObject(key_of("mute"), {"views": 1}, {UNNAMED: [0.1] * 64}), timeout_s=1)
    migration = start(world)
    copy = world.live("mute", migration.spec.shadow)
    assert copy.properties["views"] == 1
    assert copy.stamp(STAMP_SKIPPED) == "no-text"


def test_a_text_that_the_provider_refuses_is_kept_with_the_providers_words(world):
    body = world.live(1).properties["body"]
    world.embedders["new-model"].refuses.add(body)
    migration = start(world)
    assert world.live(1, migration.spec.shadow).stamp(STAMP_SKIPPED).startswith("refused: ")


def test_vectors_of_another_model_are_not_pinned(world):
    other = ModelCard("openai", "new-model", "openai", 64)
    wrong = Pin("Wrong", "Docs", replace(OLD.space, model=other.model, provider="cohere"), TextRecipe(("body",)))
    with pytest.raises(BadInput, match=r"the stored vectors are not cohere/new-model@64 of body: cosine -?0\.\d+ at worst"):
        pin_step.act(world.ports, wrong, who="t", why="t")


def test_a_recipe_of_unknown_properties_names_those_that_exist(world):
    with pytest.raises(BadInput, match=r"no such properties: text\. It has: body, title, views\."):
        pin_step.act(world.ports, Pin("Docs", "Docs", OLD.space, TextRecipe(("text",))), who="t", why="t")


def test_a_recipe_of_numbers_is_refused(world):
    with pytest.raises(BadInput, match="not text: views"):
        pin_step.act(world.ports, Pin("Docs", "Docs", OLD.space, TextRecipe(("views",))), who="t", why="t")


def test_a_provider_that_is_down_stops_the_plan_before_anything_is_written(world):
    def down(method, texts):
        raise Retryable("connection refused", where="http://127.0.0.1:9/v1", next_action="Start it.")

    world.embedders["new-model"].before = down
    with pytest.raises(Retryable, match="connection refused"):
        plan(world)
    assert world.ledger.active_migration("Docs") is None
    assert world.store.collections() == ["Docs"]


def test_a_paused_migration_says_why_and_how_to_go_on(world):
    migration_id = plan(world)
    world.ledger.set_paused(migration_id, "the budget is used up", who="tess")
    with pytest.raises(Paused, match=r"the migration is paused: the budget is used up\. Run: vecferry unpause Docs"):
        stage_runner.act("create_shadow", world.ports, migration_id)


def test_a_golden_set_is_asked_for_by_name(world):
    migration = start(world)
    world.walk_to(migration.id, Phase.VERIFIED)
    with pytest.raises(BadInput, match=r"the pin has no golden set\. Run: vecferry golden import FILE --pin Docs"):
        stage_runner.act("validate_golden_set", world.ports, migration.id)


def test_a_stage_that_does_not_exist_names_those_that_do(world):
    with pytest.raises(BadInput, match=r"there is no stage 'backfil'\. There are: check_deprecation, plan"):
        stage_runner.act("backfil", world.ports, "m")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"percents": (5, 25)}, r"percents must be among \[5, 25, 100\] and end with 100"),
        ({"percents": (10, 100)}, r"percents must be among \[5, 25, 100\]"),
        ({"budget_usd": 0.0}, "budget_usd must be above 0"),
        ({"soak_minutes": -1.0}, "soak_minutes must not be negative"),
        ({"margin": 2.0}, "margin must be between 0 and 1"),
        ({"chunk_concurrency": 0}, "chunk_concurrency must be at least 1"),
    ],
)
def test_a_request_that_cannot_be_names_what_is_wrong(changes, text):
    with pytest.raises(BadInput, match=text):
        request(**changes)


def test_golden_rows_of_the_tests_are_of_the_documented_form():
    assert set(golden_rows(1)[0]) == {"query_id", "query", "relevant", "cohort"}
