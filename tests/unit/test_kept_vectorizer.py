"""A shadow that keeps the server's own vectorizer: nothing is computed behind our back, and after retire it embeds as we do."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.support.carried import retired, serving, validated
from tests.support.kept_world import MODULE, kept_world, server_model
from tests.support.memory_world import LIVE_SCHEMA, NEW, OLD, key_of, make_world, request, text_of
from vecferry.adapters.memory.embedder import vector_of
from vecferry.domain.catalogue import ModelCard
from vecferry.domain.kept_vectorizer import NOTHING, kept_vectorizer, settings
from vecferry.domain.objects import STAMP_SKIPPED, UNNAMED, StoredObject
from vecferry.domain.schema import schema_differences, server_side_model
from vecferry.domain.server_text import settings_of
from vecferry.errors import BadInput, NeedsPerson, Paused
from vecferry.steps import create_shadow, drift, hold_vectorizer, prove_vectorizer, retire, server_side, stage_runner
from vecferry.steps import plan as plan_step

KEEP = {"shadow_vectorizer": "keep"}
COHERE = "text2vec-cohere"


@pytest.fixture
def world():
    return kept_world()


def spec_of(world, migration_id):
    return world.ledger.migration(migration_id).spec


def vectorizer_in(world, collection):
    return settings_of(world.store.schema(collection), UNNAMED)


def put_natively(world, collection, name, body):
    """As an application that leaves the vector to the server."""
    world.store.put(collection, StoredObject(key_of(name), {"body": body}, {}), timeout_s=1)
    return world.store.read(collection, [key_of(name)])[key_of(name)].vectors.get(UNNAMED)


# --- from the plan to retire


def test_the_shadow_has_the_vectorizer_of_the_new_model_and_it_is_held(world):
    spec = spec_of(world, validated(world, **KEEP))
    module, chosen = vectorizer_in(world, spec.shadow)
    assert (module, chosen["model"], chosen["properties"]) == (COHERE, NEW.model, [NOTHING])
    for key, copy in world.store.read(spec.shadow, [key_of(n) for n in range(20)]).items():
        assert copy.vectors[UNNAMED] == vector_of(NEW.space, copy.properties["body"]), key
    rows = schema_differences(world.store.schema("Docs"), world.store.schema(spec.shadow), spec)
    assert all(row["allowed"] for row in rows)


def test_a_copy_that_is_to_have_no_vector_gets_none_from_the_server(world):
    world.embedders[NEW.model].refuses.add(text_of(3))
    spec = spec_of(world, validated(world, **KEEP))
    copy = world.live(3, spec.shadow)
    assert (copy.vectors, str(copy.stamp(STAMP_SKIPPED))[:7]) == ({}, "refused")


def test_without_the_hold_the_server_would_embed_it(world, monkeypatch):
    monkeypatch.setattr(create_shadow, "hold", lambda ports, migration: None)
    world.embedders[NEW.model].refuses.add(text_of(3))
    migration_id = stage_runner.act("plan", world.ports, request(**KEEP))["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    spec = spec_of(world, migration_id)
    assert put_natively(world, spec.shadow, 3, text_of(3)), "what the hold is there for"
    rows = schema_differences(world.store.schema("Docs"), world.store.schema(spec.shadow), spec)
    assert [row["setting"] for row in rows if not row["allowed"]] == [f"moduleConfig.{COHERE}.properties"], "the gate sees it"


def test_after_retire_the_server_embeds_as_vecferry_does_and_the_pin_says_how(world):
    spec = spec_of(world, retired(world, **KEEP))
    assert vectorizer_in(world, spec.shadow)[1].get("properties") == []
    assert put_natively(world, spec.shadow, "new", "copper lantern") == vector_of(NEW.space, "copper lantern")
    pin = world.ledger.pin("Docs")
    assert (pin.collection, pin.recipe) == (spec.shadow, spec.recipe)
    assert server_side.problems(world.store.schema(spec.shadow), pin) == []
    rows = schema_differences(world.store.schema("Docs"), world.store.schema(spec.shadow), spec, vectorizing=True)
    assert all(row["allowed"] for row in rows), "a check that is cleared later finds it as it should be"


def test_the_chosen_properties_are_given_back(world):
    world = kept_world(properties=["body"])
    spec = spec_of(world, retired(world, **KEEP))
    assert vectorizer_in(world, spec.shadow)[1]["properties"] == ["body"]


def test_aliases_follow_it(world):
    world.store.set_alias("Search", "Docs")
    plan = plan_step.look(world.ports, world.ledger.pin("Docs"), world.ports.catalogue.card("new-model"), request(**KEEP))
    assert plan["aliases_follow"] is True
    migration_id = retired(world, **KEEP)
    assert world.store.aliases() == {"Search": spec_of(world, migration_id).shadow}


def test_retire_run_again_after_a_crash_lets_it_go(world, monkeypatch):
    migration_id = serving(world, 100, **KEEP)
    with monkeypatch.context() as patch:
        patch.setattr(retire, "let_go", crash)
        with pytest.raises(KeyboardInterrupt):
            retire.act(world.ports, migration_id)
    assert vectorizer_in(world, spec_of(world, migration_id).shadow)[1]["properties"] == [NOTHING]
    for _ in range(2):
        assert retire.act(world.ports, migration_id)["vectorizer"] == f"{COHERE} embeds with {NEW.model}"


def crash(*given):
    raise KeyboardInterrupt


def test_a_server_that_does_not_let_it_go_any_more_is_told_to_a_person(world, monkeypatch):
    migration_id = serving(world, 100, **KEEP)
    monkeypatch.setattr(world.store, "set_vectorizer", refused)
    with pytest.raises(NeedsPerson, match=r"authority has moved, but the server does not let text2vec-cohere be switched on"):
        retire.act(world.ports, migration_id)
    assert world.ledger.pin("Docs").collection == spec_of(world, migration_id).shadow


def test_a_collection_that_the_pin_has_left_stays_as_it_is(world):
    migration_id = retired(world, **KEEP)
    world.store.create(LIVE_SCHEMA | {"class": "Docs_2"})
    world.ledger.save_pin(replace(world.ledger.pin("Docs"), collection="Docs_2"), who="t", why="t")
    world.store.set_vectorizer(spec_of(world, migration_id).shadow, UNNAMED, {"properties": ["title"]})
    assert "the pin has moved on" in hold_vectorizer.let_go(world.ports, world.ledger.migration(migration_id))
    assert vectorizer_in(world, spec_of(world, migration_id).shadow)[1]["properties"] == ["title"]


# --- what the plan proves and refuses


def test_by_default_the_shadow_has_plain_vectors(world):
    spec = spec_of(world, validated(world))
    assert (spec.vectorizer, vectorizer_in(world, spec.shadow)) == (None, (None, {}))


def test_a_plan_that_is_not_started_makes_nothing_and_says_what_is_yet_to_be_proven(world):
    before = world.store.collections()
    world.store.before = no_writes
    found = plan_step.look(world.ports, world.ledger.pin("Docs"), world.ports.catalogue.card("new-model"), request(**KEEP))
    assert any("proven when the migration is started, on a scratch collection" in warning for warning in found["warnings"])
    assert {row["setting"] for row in found["schema_changes"]} >= {"vectorizer", f"moduleConfig.{COHERE}.model"}
    assert world.store.collections() == before


def no_writes(name, collection, call):
    assert name not in ("create", "drop", "put", "let_vectorize", "set_vectorizer")


def test_the_proof_leaves_nothing_behind(world):
    found = stage_runner.act("plan", world.ports, request(**KEEP))
    assert world.store.collections() == ["Docs"]
    assert not any("scratch" in warning for warning in found["warnings"])


def of_the_old_model(model, text):
    return server_model(OLD.model, text)


def shorter(model, text):
    return server_model(model, text)[:10]


def refused(*given, **named):
    raise BadInput("it is immutable", where="Docs", next_action="Leave it.")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (of_the_old_model, r"the server's own vector of a text is not that of cohere/new-model@64: cosine -?0\.\d+"),
        (shorter, "the server gives vectors of 10 dimensions"),
        (refused, "the server cannot embed with cohere/new-model@64: it is immutable"),
    ],
)
def test_a_server_that_embeds_otherwise_is_refused_before_anything_is_written(world, model, says):
    world.store.server_model = model
    with pytest.raises(BadInput, match=says) as error:
        stage_runner.act("plan", world.ports, request(**KEEP))
    assert "--shadow-vectorizer plain" in str(error.value)
    assert (world.ledger.migrations(), world.store.collections()) == ([], ["Docs"])


def test_a_server_that_cannot_be_held_is_refused(world, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(world.store, "set_vectorizer", refused)
        with pytest.raises(BadInput, match="does not let the vectorizer be held until retire: it is immutable"):
            stage_runner.act("plan", world.ports, request(**KEEP))
    monkeypatch.setattr(world.store, "set_vectorizer", lambda *given: None)
    with pytest.raises(BadInput, match="embeds copies that are to have no vector, though it was told not to"):
        stage_runner.act("plan", world.ports, request(**KEEP))
    assert (world.ledger.migrations(), world.store.collections()) == ([], ["Docs"])


def test_a_server_without_a_key_is_sent_one_for_the_proof_and_the_plan_says_so(world, monkeypatch):
    let, sent = world.store.let_vectorize, []

    def without_a_key(collection, obj, *, key_of=None, timeout_s):
        held = settings_of(world.store.schema(collection), UNNAMED)[1].get("properties") == [NOTHING]
        if key_of is None and not held:
            refused()
        sent.append(key_of)
        let(collection, obj, timeout_s=timeout_s)

    monkeypatch.setattr(world.store, "let_vectorize", without_a_key)
    found = stage_runner.act("plan", world.ports, request(**KEEP))
    assert any("no key of its own for text2vec-cohere" in warning for warning in found["warnings"])
    assert sent[0] is None
    assert set(sent[1:]) == {NEW}


def test_a_module_that_the_server_does_not_have_is_refused_by_name(world):
    world.store.enabled_modules = frozenset({MODULE})
    with pytest.raises(BadInput, match=r"no module text2vec-cohere, .*ENABLE_MODULES"):
        stage_runner.act("plan", world.ports, request(**KEEP))


def test_where_clients_bring_the_vectors_there_is_nothing_to_keep():
    with pytest.raises(BadInput, match="no server-side vectorizer to keep"):
        stage_runner.act("plan", make_world(20).ports, request(**KEEP))


def test_what_a_dead_proof_left_is_taken_away_and_a_strangers_collection_is_not(world, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(prove_vectorizer, "_compared", crash)
        patch.setattr(world.store, "drop", lambda name: None)
        with pytest.raises(KeyboardInterrupt):
            stage_runner.act("plan", world.ports, request(**KEEP))
    left = [name for name in world.store.collections() if name.endswith("_proof")]
    assert len(left) == 1
    stage_runner.act("plan", world.ports, request(**KEEP))
    assert world.store.collections() == ["Docs"]


def test_a_strangers_collection_of_the_trials_name_is_not_touched(world):
    world.store.create(LIVE_SCHEMA | {"class": "Docs_new_model_1_proof"})
    with pytest.raises(NeedsPerson, match="Docs_new_model_1_proof exists and is no trial of vecferry's"):
        stage_runner.act("plan", world.ports, request(**KEEP))
    assert "Docs_new_model_1_proof" in world.store.collections()


# --- while it runs, and the next migration


def test_a_change_of_the_chosen_properties_in_live_pauses(world):
    migration_id = validated(world, **KEEP)
    assert not drift.follow(world.ports, world.ledger.migration(migration_id))
    world.store.set_vectorizer("Docs", UNNAMED, {"properties": ["title"]})
    with pytest.raises(Paused, match="the server embeds another text now"):
        drift.follow(world.ports, world.ledger.migration(migration_id))


def test_one_that_has_plain_vectors_since_an_earlier_migration_is_not_taken_for_changed(world):
    """Its text is still the server's, and nobody can take a vectorizer away."""
    retired(world)
    migration_id = stage_runner.act("plan", world.ports, request(to_model="old-model"))["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    assert not drift.follow(world.ports, world.ledger.migration(migration_id))


def test_a_kept_vectorizer_is_kept_again(world):
    retired(world, **KEEP)
    migration_id = stage_runner.act("plan", world.ports, request(to_model="old-model", **KEEP))["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    module, chosen = vectorizer_in(world, spec_of(world, migration_id).shadow)
    assert (module, chosen["model"], chosen["properties"]) == (MODULE, OLD.model, [NOTHING])


# --- the settings, from literals


def test_the_address_stays_and_what_belongs_to_the_old_model_goes():
    live = {
        "vectorizer": MODULE,
        "moduleConfig": {MODULE: {"baseURL": "http://here", "model": "ada", "modelVersion": "002", "type": "text"}},
    }
    card = ModelCard("openai", "text-embedding-3-large", "openai", 1024, sends_dimensions=True, base_url="http://there/v1")
    chosen = settings(live, UNNAMED, kept_vectorizer(live, UNNAMED, card), vectorizing=True)
    assert chosen == {"baseURL": "http://here", "model": card.model, "dimensions": 1024, "vectorizeClassName": False}
    assert server_side_model(live, UNNAMED) == "text-embedding-ada-002"


def test_another_providers_module_gets_the_models_own_address_or_the_usual_one():
    live = {"vectorizer": COHERE, "moduleConfig": {COHERE: {"baseURL": "http://here", "model": "embed-v3", "truncate": "NONE"}}}
    for address, wanted in (("http://there/v1", "http://there"), ("", "https://api.openai.com")):
        card = ModelCard("openai", "text-embedding-3-small", "openai", 1536, base_url=address)
        chosen = settings(live, UNNAMED, kept_vectorizer(live, UNNAMED, card), vectorizing=False)
        assert re.fullmatch(wanted, chosen.pop("baseURL"))
        assert chosen == {"model": card.model, "vectorizeClassName": False, "properties": [NOTHING]}
