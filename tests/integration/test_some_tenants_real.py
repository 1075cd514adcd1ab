"""A migration on trial for some tenants: the others go on as if there were none. On the fake and on a real Weaviate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.test_tenants_real import copied, filled, held, write
from tests.support.memory_world import World, make_world, request
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.domain.lifecycle import Phase, understands
from vecferry.domain.routing import TENANT_STAYS, Arm, Mode
from vecferry.errors import BadInput, NeedsPerson
from vecferry.router import Router
from vecferry.steps import discard, live_model_gone, roll_back, stage_runner, verify_parity

pytestmark = pytest.mark.timeout(240)
ON_TRIAL, STAYS = "awake", "asleep"


@pytest.fixture(params=["memory", "weaviate"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made = make_world(0)
    if request.param == "weaviate":
        server = request.getfixturevalue("weaviate_server")
        store: Any = WeaviateStore(server.http_url, server.grpc_address)
        made = replace(made, store=store, ports=replace(made.ports, store=store))
    for filled_world in filled(made):
        live = filled_world.ledger.pin("Docs").collection
        filled_world.store.set_tenants(live, {STAYS: "ACTIVE"})
        yield filled_world


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
    assert not understands(1, replace(migration, spec=replace(spec, hash_version=4))), "nor does a release that knows 3 no 4"


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


def test_it_ends_by_discard_and_not_by_retire(world: World) -> None:
    migration_id = on_trial(world)
    world.walk_to(migration_id, Phase.VALIDATED)
    world.ledger.move(world.ledger.migration(migration_id), Phase.SERVING, who="test", why="test", routing=(Mode.DUAL, 100))
    with pytest.raises(NeedsPerson, match="on trial for 1 tenants alone: authority moves for a pin") as refused:
        stage_runner.act("retire", world.ports, migration_id)
    assert "vecferry discard Docs" in refused.value.next_action
    with pytest.raises(NeedsPerson, match="the shadow cannot answer for tenants that it does not have"):
        live_model_gone.act(world.ports, migration_id, who="tess", why="test", force=True)
    roll_back.act(world.ports, migration_id, who="tess", why="the trial is over")
    discard.act(world.ports, migration_id, who="tess", why="the trial is over")
    live = world.ledger.pin("Docs").collection
    write(world, live, STAYS, 4)
    after = stage_runner.act("plan", world.ports, request())
    assert after["tenants"] == 3


def test_a_tenant_that_there_is_not_is_refused_before_anything_is_written(world: World) -> None:
    with pytest.raises(BadInput, match="there is no tenant nobody") as refused:
        stage_runner.act("plan", world.ports, request(tenants=(ON_TRIAL, "nobody")))
    assert "Its tenants: asleep, awake, empty" in refused.value.next_action
    with pytest.raises(BadInput, match="tenants must be named, each once"):
        request(tenants=(ON_TRIAL, ON_TRIAL))
    assert world.ledger.migrations("Docs") == []
