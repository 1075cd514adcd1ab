"""Rule 13 at every gate: what changes in live while it is copied is followed, or pauses the migration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.memory_world import LIVE_SCHEMA as SCHEMA
from tests.support.memory_world import OLD, World, golden_rows, key_of, make_world, request
from vecferry.adapters.memory.embedder import vector_of
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.errors import BadInput, Paused
from vecferry.steps import drift, stage_runner

NOTE = {"name": "note", "dataType": ["text"], "tokenization": "field"}
GATED = ["backfill", "verify_parity", "validate_golden_set", "cut_over_5", "cut_over_100", "retire"]
TENANTS = {"acme": "ACTIVE", "gone": "ACTIVE"}


@pytest.fixture
def world() -> World:
    made = make_world(20)
    made.ledger.save_golden("Docs", golden_rows(12))
    return made


@pytest.fixture
def tenants() -> World:
    made = make_world(0)
    made.store.drop("Docs")
    schema = {key: value for key, value in SCHEMA.items() if key != "shardingConfig"}
    made.store.create(schema | {"multiTenancyConfig": {"enabled": True}})
    made.store.add_tenants("Docs", TENANTS)
    for number, tenant in enumerate(TENANTS):
        write(made, number, tenant=tenant)
    return made


def write(world: World, name: Any, *, tenant: str | None = None, **properties: Any) -> None:
    body = f"stone number{name}"
    vectors = {UNNAMED: vector_of(OLD.space, body)}
    world.store.put("Docs", StoredObject(key_of(name), {"body": body, **properties}, vectors, tenant), timeout_s=1)


def at(world: World, phase: Phase) -> str:
    """Copied and equal, in that phase."""
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.DUAL_WRITING)
    stage_runner.act("backfill", world.ports, migration_id)
    if phase is Phase.DUAL_WRITING:
        return migration_id
    world.walk_to(migration_id, Phase.BACKFILLED)
    stage_runner.act("verify_parity", world.ports, migration_id)
    percent = {Phase.SERVING: 100}.get(phase, 0)
    world.walk_to(migration_id, phase, percent)
    return migration_id


def shadow_of(world: World, migration_id: str) -> str:
    return world.ledger.migration(migration_id).spec.shadow


def phase_for(stage: str) -> Phase:
    (needed, *_) = sorted(stage_runner.stage_named(stage).needs, key=lambda phase: phase is Phase.SERVING)
    return needed


@pytest.mark.parametrize("stage", GATED)
def test_a_new_property_is_in_the_shadow_after_any_gate(world: World, stage: str) -> None:
    migration_id = at(world, phase_for(stage))
    world.store.add_property("Docs", NOTE)
    write(world, 1, note="new")  # around the router: parity alone can know
    stage_runner.act(stage, world.ports, migration_id)
    shadow = shadow_of(world, migration_id)
    assert NOTE in world.store.schema(shadow)["properties"]
    if stage != "backfill":
        stored = world.live(1, shadow)
        assert stored is not None
        assert stored.properties["note"] == "new", "verified again, where parity was proven before"


@pytest.mark.parametrize("stage", ["enable_dual_write", *GATED[:-1]])
def test_each_check_looks_too(world: World, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migration_id = at(world, phase_for(stage) if stage != "enable_dual_write" else Phase.BACKFILLED)
    world.store.add_property("Docs", NOTE)
    monkeypatch.setattr("vecferry.checks.gates.judge", lambda *given: judged(stage))
    stage_runner.check(stage, world.ports, migration_id)
    assert NOTE in world.store.schema(shadow_of(world, migration_id))["properties"]


def judged(stage: str) -> Any:
    from vecferry.domain.verdicts import Outcome, Verdict

    return Verdict(stage, Outcome.NO_DATA, "not looked at here")


def test_without_the_look_a_gate_passes_over_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    monkeypatch.setattr(drift, "follow", lambda ports, migration: drift.Drift())
    migration_id = at(world, Phase.VALIDATED)
    world.store.add_property("Docs", NOTE)
    stage_runner.act("cut_over_5", world.ports, migration_id)
    assert NOTE not in world.store.schema(shadow_of(world, migration_id))["properties"]


def test_a_property_that_the_server_refuses_pauses(world: World) -> None:
    migration_id = at(world, Phase.VALIDATED)
    world.store.add_property("Docs", NOTE)

    def refusing(name: str, collection: str, call: object) -> None:
        if name == "add_property":
            raise BadInput("no more properties", where=collection)

    world.store.before = refusing
    with pytest.raises(Paused, match="property note is new in live, and the server refuses it for the shadow"):
        stage_runner.act("cut_over_5", world.ports, migration_id)
    assert "property note" in (world.ledger.migration(migration_id).paused or "")


CHANGES = {
    "a vectorizer changed in place": ({"vectorizer": "text2vec-openai"}, "a server-side vectorizer was added"),
    "an expiry by creation time": (
        {"objectTtlConfig": {"enabled": True, "deleteOn": "_creationTimeUnix", "defaultTtl": 60}},
        "expiry by _creationTimeUnix",
    ),
    "another setting": ({"invertedIndexConfig": {"bm25": {"b": 0.1}}}, r"invertedIndexConfig.bm25.b \(live 0.1"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_cannot_be_followed_pauses_with_the_reason_and_what_to_do(world: World, change: str) -> None:
    changed, words = CHANGES[change]
    migration_id = at(world, Phase.VALIDATED)
    world.store._collections["Docs"].schema.update(changed)
    with pytest.raises(Paused, match=words) as paused:
        stage_runner.act("cut_over_5", world.ports, migration_id)
    assert "then unpause" in paused.value.next_action
    assert world.ledger.migration(migration_id).phase is Phase.VALIDATED
    with pytest.raises(Paused):
        stage_runner.check("validate_golden_set", world.ports, migration_id)
    assert [e.what for e in world.ledger.events(migration_id=migration_id)].count("pause") == 1
    world.store._collections["Docs"].schema.update({name: SCHEMA.get(name) for name in changed})
    world.ledger.set_paused(migration_id, None, who="tess")
    stage_runner.act("cut_over_5", world.ports, migration_id)


def test_a_new_tenant_is_copied_and_one_that_is_gone_goes(tenants: World) -> None:
    migration_id = at(tenants, Phase.VALIDATED)
    shadow = shadow_of(tenants, migration_id)
    tenants.store.add_tenants("Docs", {"late": "ACTIVE"})
    write(tenants, "l", tenant="late")
    tenants.store.remove_tenants("Docs", ["gone"])
    stage_runner.act("cut_over_5", tenants.ports, migration_id)
    assert set(tenants.store.tenants(shadow)) == {"acme", "late"}
    assert set(tenants.store.read(shadow, [key_of("l")], tenant="late")) == {key_of("l")}
    found = next(e for e in tenants.ledger.events(migration_id=migration_id) if e.what == drift.FOLLOWED)
    assert found.why == "followed live: tenants late; removed tenants gone"


def test_a_tenant_that_is_only_not_listed_for_a_moment_stays(tenants: World) -> None:
    """Absent twice, positively: its objects are asked for by id before any of them is deleted."""
    migration_id = at(tenants, Phase.VALIDATED)
    shadow = shadow_of(tenants, migration_id)
    listed = tenants.store.tenants
    answers = [listed("Docs"), {"acme": "ACTIVE"}]  # to whoever copies new tenants, and to whoever removes
    tenants.store.tenants = lambda collection: (  # type: ignore[method-assign]
        answers.pop(0) if collection == "Docs" and answers else listed(collection)
    )
    followed = drift.follow(tenants.ports, tenants.ledger.migration(migration_id))
    assert (answers, followed) == ([], drift.Drift())
    assert set(tenants.store.read(shadow, [key_of(1)], tenant="gone")) == {key_of(1)}
    assert set(listed(shadow)) == set(TENANTS)


def test_a_row_of_a_tenant_that_is_gone_clears(tenants: World) -> None:
    """Else it would block the flip for ever."""
    migration_id = at(tenants, Phase.SERVING)
    rows = tenants.ledger.open_rows(migration_id, [key_of(1)], tenant="gone", owner="crashed", kind=RowKind.WRITE)
    tenants.store.remove_tenants("Docs", ["gone"])
    stage_runner.act("verify_parity", tenants.ports, migration_id)
    router = tenants.router(driven=False)
    assert rows
    for _ in range(2):
        router._janitor.run_once()
        tenants.clock.advance(tenants.ports.timings.takeover_s + 1)
    assert tenants.ledger.rows(migration_id, limit=9) == []


def test_a_vector_that_is_new_in_live_pauses(world: World) -> None:
    migration_id = at(world, Phase.VALIDATED)
    schema = world.store._collections["Docs"].schema
    schema["vectorConfig"] = {"image": {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw"}}
    with pytest.raises(Paused, match=r"the migration names|beside named ones"):
        stage_runner.act("cut_over_5", world.ports, migration_id)


def test_another_releases_migration_is_refused_by_name(world: World) -> None:
    migration_id = at(world, Phase.VALIDATED)
    stored = world.ledger._tables.migrations
    stored[migration_id] = replace(stored[migration_id], protocol_version=9)
    with pytest.raises(BadInput, match=r"this vecferry speaks protocol 1, migration .* protocol 9 with hash version 1"):
        stage_runner.act("cut_over_5", world.ports, migration_id)
