"""Tenants that sleep, and tenants that come and go, while a migration runs: on the fake and on a real Weaviate."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.memory_world import LIVE_SCHEMA, NEW, OLD, World, key_of, make_world, request
from vecferry.adapters.memory.embedder import vector_of
from vecferry.adapters.weaviate.store import WeaviateStore
from vecferry.domain.chunks import ChunkState
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.errors import BadInput
from vecferry.protocol.janitor import Janitor
from vecferry.protocol.ownership import open_rows
from vecferry.protocol.waking import WOKEN, left_awake, waking
from vecferry.steps import stage_runner, verify_parity
from vecferry.steps.tenants import settle

pytestmark = pytest.mark.timeout(240)
TENANTS = {"awake": "ACTIVE", "asleep": "ACTIVE", "empty": "INACTIVE"}


@pytest.fixture(params=["memory", "weaviate"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    yield from filled(on_store(request), autoTenantActivation=False)


def on_store(request: pytest.FixtureRequest) -> World:
    """Without objects, on the store that the fixture's parameter names."""
    made = make_world(0)
    if request.param == "memory":
        return made
    server = request.getfixturevalue("weaviate_server")
    store: Any = WeaviateStore(server.http_url, server.grpc_address)
    return replace(made, store=store, ports=replace(made.ports, store=store))


def filled(world: World, **flags: Any) -> Iterator[World]:
    live = f"Tenants{uuid.uuid4().hex[:8]}"
    schema = {key: value for key, value in LIVE_SCHEMA.items() if key != "shardingConfig"}
    world.store.create(schema | {"class": live, "multiTenancyConfig": {"enabled": True, **flags}})
    world.store.add_tenants(live, TENANTS)
    world.ledger.save_pin(Pin("Docs", live, OLD.space, TextRecipe(("body",))), who="test", why="test")
    for tenant in ("awake", "asleep"):
        for number in range(3):
            write(world, live, tenant, number)
    world.store.set_tenants(live, {"asleep": "INACTIVE"})
    yield world
    for collection in (live, *(migration.spec.shadow for migration in world.ledger.migrations("Docs"))):
        world.store.drop(collection)
    world.store.close()


def write(world: World, live: str, tenant: str, number: int) -> None:
    body = f"stone {tenant} {number}"
    obj = StoredObject(key_of(f"{tenant}{number}"), {"body": body}, {UNNAMED: vector_of(OLD.space, body)}, tenant)
    world.store.put(live, obj, timeout_s=10)


def copied(world: World, **options: Any) -> str:
    migration_id = str(stage_runner.act("plan", world.ports, request(**options))["migration_id"])
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.DUAL_WRITING)
    stage_runner.act("backfill", world.ports, migration_id)
    return migration_id


def held(world: World, collection: str, tenant: str) -> set[str]:
    """The keys of a tenant, whatever it takes to look; it is left as it was."""
    status = world.store.tenants(collection)[tenant]
    world.store.set_tenants(collection, {tenant: "ACTIVE"})
    found = world.store.read(collection, [key_of(f"{tenant}{number}") for number in range(5)], tenant=tenant)
    world.store.set_tenants(collection, {tenant: status})
    return set(found)


def test_a_sleeping_tenant_is_copied_and_sleeps_again(world: World) -> None:
    migration_id = copied(world)
    spec = world.ledger.migration(migration_id).spec
    assert world.store.tenants(spec.live) == {"awake": "ACTIVE", "asleep": "INACTIVE", "empty": "INACTIVE"}
    assert all(chunk.state is ChunkState.DONE for chunk in world.ledger.chunks(migration_id))
    for tenant in ("awake", "asleep"):
        assert held(world, spec.shadow, tenant) == held(world, spec.live, tenant) == {key_of(f"{tenant}{n}") for n in range(3)}
    assert left_awake(world.ledger, migration_id) == {}
    world.walk_to(migration_id, Phase.BACKFILLED)
    assert stage_runner.act("verify_parity", world.ports, migration_id)
    assert stage_runner.check("verify_parity", world.ports, migration_id).passes
    assert world.store.tenants(spec.live)["asleep"] == "INACTIVE"


def test_a_look_by_hand_wakes_them_too(world: World) -> None:
    """``vecferry verify`` and ``vecferry sweep`` come by no stage."""
    migration = world.ledger.migration(copied(world))
    found = verify_parity.compare(world.ports, migration, repair=False)
    assert (found.objects_live, found.objects_shadow, found.differences) == (6, 6, 0)
    assert world.store.tenants(migration.spec.live) == {"awake": "ACTIVE", "asleep": "INACTIVE", "empty": "INACTIVE"}


def test_a_plan_wakes_nobody_and_says_who_sleeps(world: World) -> None:
    pin = world.ledger.pin("Docs")
    plan = stage_runner.act("plan", world.ports, request())
    assert world.store.tenants(pin.collection)["asleep"] == "INACTIVE"
    assert plan["tenants"] == 3
    assert plan["objects"] == 9, "three a tenant, by the one that answers"
    assert any("2 of 3 tenants are asleep" in warning for warning in plan["warnings"])


def test_a_tenant_that_a_crash_left_awake_is_put_back_by_whoever_comes_next(world: World) -> None:
    migration_id = str(stage_runner.act("plan", world.ports, request())["migration_id"])
    migration = world.ledger.migration(migration_id)
    live = migration.spec.live
    crashed = waking(world.store, world.ledger, world.clock, migration)
    store = crashed.__enter__()
    assert store.count(live, tenant="asleep") == 3
    assert world.store.tenants(live)["asleep"] == "ACTIVE"
    assert left_awake(world.ledger, migration_id) == {"asleep": "INACTIVE"}
    with waking(world.store, world.ledger, world.clock, migration):
        pass
    assert world.store.tenants(live)["asleep"] == "INACTIVE"
    assert left_awake(world.ledger, migration_id) == {}


def test_a_worker_of_a_backfill_leaves_awake_what_another_is_reading(world: World) -> None:
    """Many workers, each at a tenant of its own: else each that begins or ends sends all the others' to sleep."""
    migration_id = copied(world)
    migration = world.ledger.migration(migration_id)
    live = migration.spec.live
    world.clock.advance(1)
    reading = waking(world.store, world.ledger, world.clock, migration)
    assert reading.__enter__().count(live, tenant="asleep") == 3
    for waited_s, status in ((0, "ACTIVE"), (599, "ACTIVE"), (2, "INACTIVE")):
        world.clock.advance(waited_s)
        with waking(world.store, world.ledger, world.clock, migration) as other:
            assert other.count(live, tenant="awake") == 3
        assert world.store.tenants(live)["asleep"] == status, waited_s


def test_another_worker_may_put_a_tenant_back_in_the_middle(world: World) -> None:
    migration_id = str(stage_runner.act("plan", world.ports, request())["migration_id"])
    migration = world.ledger.migration(migration_id)
    live = migration.spec.live
    with waking(world.store, world.ledger, world.clock, migration) as store:
        assert store.count(live, tenant="asleep") == 3
        world.store.set_tenants(live, {"asleep": "INACTIVE"})
        assert len(store.read(live, [key_of(f"asleep{n}") for n in range(5)], tenant="asleep")) == 3
        assert store.count(live, tenant="awake") == 3
        assert world.store.tenants(live)["asleep"] == "INACTIVE", "one at a time"
        with pytest.raises(BadInput):
            store.count(live, tenant="nobody")
    assert len(world.ledger.events(migration_id=migration_id, what=WOKEN)) == 2


def test_other_workers_may_put_it_back_and_wake_it_again_and_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pages of one worker and the ends of several others: by the time a refused reader looks, the tenant may be awake."""
    migration_id = str(stage_runner.act("plan", world.ports, request())["migration_id"])
    migration = world.ledger.migration(migration_id)
    live, read, refused = migration.spec.live, world.store.read, []

    def disturbed(collection: str, keys: list[str], *, tenant: str | None = None, **_: Any) -> Any:
        """The first three reads are refused. After the second, another worker has woken the tenant before we look."""
        if len(refused) == 3:
            return read(collection, keys, tenant=tenant)
        world.store.set_tenants(live, {"asleep": "INACTIVE"})
        with pytest.raises(BadInput) as why:
            read(collection, keys, tenant=tenant)
        refused.append(why.value)
        if len(refused) == 2:
            world.store.set_tenants(live, {"asleep": "ACTIVE"})
        raise why.value

    monkeypatch.setattr(world.store, "read", disturbed)
    with waking(world.store, world.ledger, world.clock, migration) as store:
        assert len(store.read(live, [key_of(f"asleep{n}") for n in range(5)], tenant="asleep")) == 3
    assert len(refused) == 3
    assert world.store.tenants(live)["asleep"] == "INACTIVE"
    assert left_awake(world.ledger, migration_id) == {}


def test_the_janitor_wakes_a_tenant_that_fell_asleep_over_its_rows(world: World) -> None:
    migration_id = copied(world)
    migration = world.ledger.migration(migration_id)
    world.store.set_tenants(migration.spec.live, {"asleep": "ACTIVE"})
    write(world, migration.spec.live, "asleep", 4)
    key = key_of("asleep4")
    open_rows(
        world.ledger, world.clock, world.ports.timings, migration_id, [key], tenant="asleep", owner="x", kind=RowKind.WRITE
    )
    world.store.set_tenants(migration.spec.live, {"asleep": "INACTIVE"})
    ports = world.ports
    parts = {"ledger": ports.ledger, "store": ports.store, "embedders": ports.embedders, "clock": ports.clock}
    janitor = Janitor("Docs", **parts, timings=ports.timings, owner="janitor")
    janitor.run_once()
    world.clock.advance(ports.timings.takeover_s + 1)
    done = janitor.run_once()
    assert (done.closed, done.failed) == (1, "")
    assert key in held(world, migration.spec.shadow, "asleep")
    assert world.store.tenants(migration.spec.live)["asleep"] == "INACTIVE"


def test_a_tenant_that_an_application_writes_to_is_left_awake(world: World) -> None:
    migration_id = copied(world)
    migration = world.ledger.migration(migration_id)
    with waking(world.store, world.ledger, world.clock, migration) as store:
        store.count(migration.spec.live, tenant="asleep")
        key = [key_of("asleep1")]
        open_rows(
            world.ledger, world.clock, world.ports.timings, migration_id, key, tenant="asleep", owner="x", kind=RowKind.WRITE
        )
    assert world.store.tenants(migration.spec.live)["asleep"] == "ACTIVE"


def test_the_shadows_tenants_wake_by_themselves_until_retire_gives_them_lives_settings(world: World) -> None:
    migration_id = copied(world)
    migration = world.ledger.migration(migration_id)
    spec = migration.spec
    assert world.store.schema(spec.shadow)["multiTenancyConfig"]["autoTenantActivation"] is True
    world.store.set_tenants(spec.shadow, {"asleep": "INACTIVE"})
    assert world.store.count(spec.shadow, tenant="asleep") == 3
    for _ in range(2):
        settle(world.ports, migration)
    assert world.store.schema(spec.shadow)["multiTenancyConfig"] == world.store.schema(spec.live)["multiTenancyConfig"]
    assert world.store.tenants(spec.shadow) == world.store.tenants(spec.live)
    with pytest.raises(BadInput):
        world.store.count(spec.shadow, tenant="asleep")


def test_tenants_made_and_removed_while_it_runs_are_followed(world: World) -> None:
    migration_id = copied(world)
    spec = world.ledger.migration(migration_id).spec
    world.store.add_tenants(spec.live, {"late": "ACTIVE"})
    write(world, spec.live, "late", 0)
    world.store.set_tenants(spec.live, {"late": "INACTIVE"})
    world.store.remove_tenants(spec.live, ["awake"])
    world.walk_to(migration_id, Phase.BACKFILLED)
    stage_runner.act("verify_parity", world.ports, migration_id)
    assert set(world.store.tenants(spec.shadow)) == {"asleep", "empty", "late"}
    assert held(world, spec.shadow, "late") == {key_of("late0")}
    assert world.store.tenants(spec.live)["late"] == "INACTIVE"


def test_an_offloaded_tenant_is_fetched_and_offloaded_again() -> None:
    for world in filled(make_world(0)):
        live = world.ledger.pin("Docs").collection
        world.store.set_tenants(live, {"asleep": "OFFLOADED"})
        migration_id = copied(world)
        spec = world.ledger.migration(migration_id).spec
        assert world.store.tenants(live)["asleep"] == "OFFLOADED"
        assert held(world, spec.shadow, "asleep") == {key_of(f"asleep{n}") for n in range(3)}
        assert NEW.space == spec.space
        settle(world.ports, world.ledger.migration(migration_id))
        assert world.store.tenants(spec.shadow)["asleep"] == "OFFLOADED"


def test_retire_settles_the_tenants(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    migration_id = copied(world)
    spec = world.ledger.migration(migration_id).spec
    world.walk_to(migration_id, Phase.BACKFILLED)
    monkeypatch.setitem(stage_runner._PARTS, "retire", replace(stage_runner._PARTS["retire"], act=lambda ports, of: {}))
    stage_runner.act("retire", world.ports, migration_id)
    assert world.store.schema(spec.shadow)["multiTenancyConfig"]["autoTenantActivation"] is False
