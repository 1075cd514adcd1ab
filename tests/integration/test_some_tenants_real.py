"""A migration on trial for some tenants: the others go on as if there were none. On the fake and on a real Weaviate."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.test_tenants_real import copied, filled, held, on_store, write
from tests.support.memory_world import World, request
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import SOME_TENANTS_HASH_VERSION
from vecferry.domain.routing import TENANT_STAYS, Arm, Mode, Route, stand_in
from vecferry.errors import BadInput, Conflict, NeedsPerson
from vecferry.router import Router
from vecferry.steps import discard, live_model_gone, only_tenants, roll_back, stage_runner, status, verify_parity

pytestmark = pytest.mark.timeout(240)
ON_TRIAL, STAYS = "awake", "asleep"


@pytest.fixture(params=["memory", "weaviate"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    for made in filled(on_store(request)):
        made.store.set_tenants(made.ledger.pin("Docs").collection, {STAYS: "ACTIVE"})
        yield made


def on_trial(world: World) -> str:
    """Dual-writing, and what moves is copied."""
    return copied(world, tenants=(ON_TRIAL,))


def router_of(world: World) -> Router:
    ports = world.ports
    parts = {"ledger": ports.ledger, "store": ports.store, "embedders": ports.embedders, "clock": ports.clock}
    return Router("Docs", timings=ports.timings, threads=False, **parts)


def rows(world: World, migration_id: str) -> int:
    return sum(world.ledger.journal_counts(migration_id).values())


def test_only_the_tenants_on_trial_are_copied_and_compared(world: World) -> None:
    migration_id = on_trial(world)
    migration = world.ledger.migration(migration_id)
    spec = migration.spec
    assert set(world.store.tenants(spec.shadow)) == {ON_TRIAL}
    assert held(world, spec.shadow, ON_TRIAL) == held(world, spec.live, ON_TRIAL)
    assert {chunk.tenant for chunk in world.ledger.chunks(migration_id)} == {ON_TRIAL}
    found = verify_parity.compare(world.ports, migration, repair=True)
    assert (found.objects_live, found.objects_shadow, found.differences) == (3, 3, 0)
    assert set(world.store.tenants(spec.shadow)) == {ON_TRIAL}, "a pass with repair copies tenants too"
    assert migration.plan["tenants"] == 1
    assert any("on trial for 1 of 3 tenants" in said for said in migration.plan["warnings"])
    assert spec.hash_version == SOME_TENANTS_HASH_VERSION, "which a release that would follow all tenants does not know"


def test_the_others_are_written_and_searched_as_if_there_were_no_migration(world: World) -> None:
    migration_id = on_trial(world)
    spec = world.ledger.migration(migration_id).spec
    world.walk_to(migration_id, Phase.VALIDATED)
    world.ledger.move(world.ledger.migration(migration_id), Phase.SERVING, who="test", why="test", routing=(Mode.DUAL, 100))
    with router_of(world) as router:
        router.refresh()
        key = "00000000-0000-4000-8000-000000000001"
        router.put(key, {"body": "stone new"}, tenant=STAYS)
        assert rows(world, migration_id) == 0, "nobody follows it"
        router.put(key, {"body": "stone new"}, tenant=ON_TRIAL)
        assert rows(world, migration_id) == 1
        found = {tenant: router.search("stone new", key="u", tenant=tenant) for tenant in (STAYS, ON_TRIAL)}
        assert (found[STAYS].arm, found[STAYS].hits[0].uuid) == (Arm.LIVE, key)
        assert found[ON_TRIAL].arm is Arm.SHADOW
        assert router.route("u", tenant=STAYS).reason == TENANT_STAYS
        router._observe()
    told = {(seen.version, seen.arm): seen.queries for seen in world.ledger.observations("Docs")}
    version = world.ledger.snapshot("Docs").routing.version
    assert told == {(0, Arm.LIVE): 1, (version, Arm.SHADOW): 1}, "no share of the migration's is counted from them"
    assert key in world.store.read(spec.live, [key], tenant=STAYS)


def test_where_live_model_is_gone_the_shadow_answers_for_those_it_has(world: World) -> None:
    migration_id = on_trial(world)
    world.walk_to(migration_id, Phase.VALIDATED)
    snapshot = world.ledger.snapshot("Docs")
    asked = Route(snapshot.pin.collection, snapshot.pin.space, Arm.LIVE, "percent", 2)
    assert stand_in(snapshot, asked, tenant=ON_TRIAL) is not None
    assert stand_in(snapshot, asked, tenant=STAYS) is None


def test_it_ends_by_rollback_and_discard_and_not_by_retire(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    migration_id = on_trial(world)
    assert only_tenants.way_out(world.ledger.migration(migration_id)) == "vecferry discard Docs --why …"
    world.walk_to(migration_id, Phase.VALIDATED)
    serving = world.ledger.migration(migration_id)
    world.ledger.move(serving, Phase.SERVING, who="test", why="test", routing=(Mode.DUAL, 100))
    with pytest.raises(NeedsPerson, match="on trial for 'awake' alone; authority moves for a pin") as refused:
        stage_runner.act("retire", world.ports, migration_id)
    way_out = "vecferry rollback Docs --why …, then vecferry discard Docs --why …"
    assert refused.value.next_action == f"{way_out}; then plan for all."
    assert way_out in only_tenants.why_not_retired(world.ports, migration_id)
    monkeypatch.setattr(status, "next_stage", lambda ports, migration: "retire")  # as it is when cut_over_100 has its verdict
    assert status.next_action(world.ports, world.ledger.migration(migration_id), "Docs") == way_out
    with pytest.raises(NeedsPerson, match="the shadow cannot answer for tenants that it does not have"):
        live_model_gone.act(world.ports, migration_id, who="tess", why="test", force=True)
    roll_back.act(world.ports, migration_id, who="tess", why="the trial is over")
    discard.act(world.ports, migration_id, who="tess", why="the trial is over")
    live = world.ledger.pin("Docs").collection
    write(world, live, STAYS, 4)
    after = stage_runner.act("plan", world.ports, request())
    assert after["tenants"] == 3


def test_another_plan_meanwhile_is_not_the_trial(world: World) -> None:
    first = stage_runner.act("plan", world.ports, request(tenants=(ON_TRIAL,)))
    assert stage_runner.act("plan", world.ports, request(tenants=(ON_TRIAL,)))["migration_id"] == first["migration_id"]
    for others in ((), (STAYS,)):
        with pytest.raises(Conflict, match="of 'awake' is under way, and this one is of") as refused:
            stage_runner.act("plan", world.ports, request(tenants=others))
        assert "vecferry discard Docs" in refused.value.next_action


def test_when_all_on_trial_are_gone_it_says_so(world: World) -> None:
    migration_id = on_trial(world)
    world.store.remove_tenants(world.ledger.migration(migration_id).spec.live, [ON_TRIAL])
    with pytest.raises(NeedsPerson, match="none of the tenants on trial exists any more"):
        verify_parity.compare(world.ports, world.ledger.migration(migration_id), repair=True)


@pytest.mark.parametrize(
    ("tenants", "says", "right"),
    [
        ((ON_TRIAL, "nobody"), "there is no tenant 'nobody'", "Its tenants: 'asleep', 'awake', 'empty'"),
        (("empty",), "'empty': all asleep", "Activate one of them"),
        ((ON_TRIAL, STAYS, "empty"), "all of its tenants", "Name none"),
    ],
    ids=["unknown", "asleep", "all of them"],
)
def test_what_is_no_trial_is_refused_before_anything_is_written(
    world: World, tenants: tuple[str, ...], says: str, right: str
) -> None:
    with pytest.raises(BadInput, match=says) as refused:
        stage_runner.act("plan", world.ports, request(tenants=tenants))
    assert right in refused.value.next_action
    assert world.ledger.migrations("Docs") == []
