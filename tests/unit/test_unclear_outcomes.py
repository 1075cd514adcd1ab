"""Answers that say less than they seem to: what is not certain keeps its row, and holds up the barriers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.memory_world import key_of, make_world, request
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Mode
from vecferry.errors import Retryable, UnknownOutcome
from vecferry.ports import Event
from vecferry.protocol import restored
from vecferry.steps import discard, retire, stage_runner


@pytest.fixture
def world():
    return make_world(5)


@pytest.fixture
def dual(world):
    """Dual-writing; nothing is copied yet."""
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.DUAL_WRITING)
    return world.ledger.migration(migration_id)


@pytest.fixture
def all_on_shadow(world, dual):
    stage_runner.act("backfill", world.ports, dual.id)
    world.walk_to(dual.id, Phase.BACKFILLED)
    stage_runner.act("verify_parity", world.ports, dual.id)
    return world.walk_to(dual.id, Phase.SERVING, 100)


def follow(router):
    while router._queue.run_once():
        pass


def rows(world, migration):
    return sorted(row.key for row in world.ledger.rows(migration.id, limit=10))


def test_objects_that_put_many_cannot_confirm_keep_their_rows(world, dual):
    router = world.router()
    world.store.set_read_only("Docs", True)
    receipt = router.put_many([(key_of(n), {"body": f"signal {n}"}) for n in ("a", "b", "c")])
    follow(router)
    assert len(receipt.unknown) == 2
    assert rows(world, dual) == sorted(receipt.unknown)


def test_a_barrier_waits_for_objects_that_put_many_cannot_confirm(world):
    router = world.router()
    world.store.set_read_only("Docs", True)
    assert router.put_many([(key_of(n), {"body": f"signal {n}"}) for n in ("a", "b")]).unknown
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.SHADOW_CREATED)
    stage_runner.act("enable_dual_write", world.ports, migration_id)
    router.refresh()
    assert not stage_runner.ready("enable_dual_write", world.ports, migration_id).done
    world.clock.advance(world.ports.timings.quarantine_s)
    router.refresh()
    assert stage_runner.ready("enable_dual_write", world.ports, migration_id).done


def test_putting_nothing_is_no_error(world):
    assert world.router().put_many([]).uuids == ()


def test_a_failed_write_to_the_shadow_keeps_its_row_though_the_next_one_is_verified(world, dual):
    router = world.router()
    put_batch, answers = world.store.put_batch, [{key_of("a"): "broadcast: cannot reach enough replicas"}]

    def once(collection, objects, **options):
        return answers.pop() if answers else put_batch(collection, objects, **options)

    world.store.put_batch = once
    receipt = router.put(key_of("a"), {"body": "copper"})
    follow(router)
    assert world.live("a", dual.spec.shadow) is not None
    assert rows(world, dual) == [key_of("a")]
    assert not receipt.wait(0)


def test_an_update_does_not_undo_a_newer_one_of_the_same_property(world):
    router, other = world.router(), world.router()
    seen = []

    def crossed(name, collection, call):
        if name == "merge" and not seen:
            seen.append(name)
            other.update(key_of(1), {"body": "the newer text"})

    world.store.after = crossed
    router.update(key_of(1), {"body": "the older text"})
    assert world.live(1).properties["body"] == "the newer text"


def test_a_held_write_goes_on_when_the_ledger_does_not_say_whether_the_freeze_was_undone(world, all_on_shadow):
    world.ports = replace(world.ports, timings=replace(world.ports.timings, freeze_hold_s=0.02))
    router = world.router()
    world.ledger.publish(all_on_shadow, Mode.FREEZE, 100, who="test", why="test")
    router.refresh()
    undo, lost = world.ledger.undo_freeze, [UnknownOutcome("the connection was lost")]

    def undo_freeze(*given, **named):
        if lost:
            raise lost.pop()
        return undo(*given, **named)

    world.ledger.undo_freeze = undo_freeze
    assert router.put(key_of("x"), {"body": "copper"}, timeout=2).uuids == (key_of("x"),)


@pytest.mark.parametrize("happened", [True, False])
def test_when_the_flips_answer_is_lost_the_ledger_knows_whether_it_happened(world, all_on_shadow, happened):
    flip = world.ledger.flip

    def lost(*given, **named):
        if happened:
            flip(*given, **named)
        raise UnknownOutcome("the connection was lost")

    world.ledger.flip = lost
    if happened:
        retire.act(world.ports, all_on_shadow.id)
        assert world.ledger.migration(all_on_shadow.id).phase is Phase.RETIRED
        return
    with pytest.raises(Retryable, match="the freeze was undone"):
        retire.act(world.ports, all_on_shadow.id)
    assert world.ledger.snapshot("Docs").routing.mode is Mode.DUAL


def test_discard_waits_for_living_routers_no_longer_than_they_need(world, dual):
    router = world.router()
    router.put(key_of("a"), {"body": "copper"})
    discard.act(world.ports, dual.id, who="tess", why="no budget")
    assert dual.spec.shadow not in world.store.collections()
    router.put(key_of("a"), {"body": "winter"})
    assert world.live("a").properties["body"] == "winter"


def test_a_router_follows_a_restored_ledger_once_a_person_has_accepted_it(world):
    """Its versions count anew from an older number; the router would otherwise keep to a version that nobody published."""
    router = world.router()
    tables = world.ledger._tables
    backup = list(tables.routings["Docs"])
    tables.routings["Docs"] = [*backup, replace(backup[-1], version=9)]
    router.refresh()
    tables.routings["Docs"] = backup
    tables.leases.clear()
    world.clock.advance(world.ports.timings.idle_lease_s / 2)
    router.refresh()
    assert router.route("anyone").reason == "ledger_restored"
    world.ledger.record_event(Event(world.clock.now(), "tess", restored.ACCEPTED, "it is the newest that there is", "Docs"))
    router.refresh()
    router.refresh()
    assert router.route("anyone").version == backup[-1].version
    (lease,), _ = world.ledger.leases("Docs")
    assert lease.acknowledged_version == backup[-1].version
