"""Writing through the Router: acknowledged means in live; the shadow follows; nothing unclear is called done."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from tests.support.memory_world import NEW, OLD, key_of, make_world, request, text_of
from vecferry.adapters.memory.embedder import vector_of
from vecferry.domain.lifecycle import Phase
from vecferry.domain.objects import UNNAMED, StoredObject
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Mode
from vecferry.domain.shadow import differences
from vecferry.errors import BadInput, NotFound, NotWritten, Retryable, UnknownOutcome
from vecferry.protocol.janitor import Janitor
from vecferry.steps import stage_runner


@pytest.fixture
def world():
    return make_world()


@pytest.fixture
def dual(world):
    """Dual-writing, before any backfill."""
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.ledger.move(world.ledger.migration(migration_id), "shadow_created", who="test", why="test")
    stage_runner.act("enable_dual_write", world.ports, migration_id)
    return world.ledger.migration(migration_id)


def undisturbed(name, collection, call):
    """The store's hook when nothing goes wrong."""


def follow(router):
    while router._queue.run_once():
        pass


def agree(world, migration, name) -> list[str]:
    return differences(migration.spec, world.live(name), world.live(name, migration.spec.shadow))


def janitor(world) -> Janitor:
    return Janitor(
        "Docs",
        ledger=world.ledger,
        store=world.store,
        embedders=world.embedders,
        clock=world.clock,
        timings=world.ports.timings,
        owner="janitor",
    )


def test_a_put_is_embedded_by_the_live_model(world):
    router = world.router()
    receipt = router.put(key_of("new"), {"body": "copper lantern"})
    assert receipt.uuids == (key_of("new"),)
    assert receipt.wait(0)
    assert world.live("new").vectors[UNNAMED] == vector_of(OLD.space, "copper lantern")


def test_without_a_migration_no_row_is_written_and_there_is_nothing_to_wait_for(world):
    router = world.router()
    assert router.put(key_of("new"), {"body": "copper"}).progress is None


def test_put_update_and_delete_reach_the_shadow(world, dual):
    router = world.router()
    receipts = [router.put(key_of(n), {"body": f"copper {n}"}) for n in ("a", "b", "c")]
    receipts.append(router.update(key_of("b"), {"body": "winter harbour"}))
    receipts.append(router.delete(key_of("c")))
    follow(router)
    assert all(receipt.wait(0) for receipt in receipts)
    assert [agree(world, dual, n) for n in ("a", "b", "c")] == [[], [], []]
    assert world.live("b", dual.spec.shadow).vectors[UNNAMED] == vector_of(NEW.space, "winter harbour")
    assert world.live("c", dual.spec.shadow) is None
    assert not world.ledger.rows(dual.id, limit=10)


def test_an_update_of_another_property_keeps_the_vector_and_is_copied(world, dual):
    router = world.router()
    router.put(key_of("a"), {"body": "copper", "views": 1})
    follow(router)
    before = world.embedders["new-model"].documents
    router.update(key_of("a"), {"views": 2})
    follow(router)
    assert world.embedders["new-model"].documents == before
    assert world.live("a", dual.spec.shadow).properties["views"] == 2


def test_put_many_acknowledges_what_a_read_back_finds(world, dual):
    router = world.router()
    receipt = router.put_many([(key_of(n), {"body": f"signal {n}"}) for n in range(100, 110)])
    assert len(receipt.uuids) == 10
    assert not receipt.unknown
    follow(router)
    assert not any(agree(world, dual, n) for n in range(100, 110))


def test_put_many_into_a_read_only_shard_acknowledges_nothing(world, dual):
    router = world.router()
    world.store.set_read_only("Docs", True)
    receipt = router.put_many([(key_of(n), {"body": f"signal {n}"}) for n in range(100, 104)])
    assert receipt.uuids == ()
    assert len(receipt.unknown) + len(receipt.refused) == 4


def test_delete_many_reaches_both(world, dual):
    router = world.router()
    router.delete_many([key_of(1), key_of(2)])
    follow(router)
    assert world.live(1) is world.live(2) is None
    assert [agree(world, dual, n) for n in (1, 2)] == [[], []]


def test_a_change_block_re_embeds_what_it_changed(world, dual):
    router = world.router()
    with router.change([key_of(1)]) as _:
        obj = StoredObject(key_of(1), {"body": "another text", "views": 9}, dict(world.live(1).vectors))
        world.store.put("Docs", obj, timeout_s=1)
    follow(router)
    assert world.live(1).vectors[UNNAMED] == vector_of(OLD.space, "another text")
    assert agree(world, dual, 1) == []


def test_an_exception_in_a_change_block_leaves_the_rows_to_the_janitor(world, dual):
    router = world.router()
    with pytest.raises(ZeroDivisionError), router.change([key_of(1)]):
        _ = 1 / 0
    follow(router)
    assert len(world.ledger.rows(dual.id, limit=10)) == 1


def test_a_write_to_live_that_times_out_is_unknown_and_its_row_stays(world, dual):
    router = world.router()

    def lost(name, *where, **more):
        if name == "put":
            raise UnknownOutcome("timed out")

    world.store.before = lost
    with pytest.raises(UnknownOutcome):
        router.put(key_of("x"), {"body": "copper"})
    world.store.before = undisturbed
    follow(router)
    assert [row.key for row in world.ledger.rows(dual.id, limit=10)] == [key_of("x")]


def test_the_janitor_finishes_what_a_crashed_owner_left_after_its_whole_wait(world, dual):
    world.ledger.open_rows(dual.id, [key_of(1)], tenant=None, owner="dead", kind="write")
    cleaner = janitor(world)
    assert cleaner.run_once().claimed == 0
    world.clock.advance(world.ports.timings.takeover_s - 1)
    assert cleaner.run_once().claimed == 0
    world.clock.advance(2)
    assert (done := cleaner.run_once()).closed == 1, done
    assert agree(world, dual, 1) == []
    assert not world.ledger.rows(dual.id, limit=10)


def test_a_janitor_waits_anew_after_another_janitors_claim(world, dual):
    (row,) = world.ledger.open_rows(dual.id, [key_of(1)], tenant=None, owner="dead", kind="write")
    second = janitor(world)
    second.run_once()
    world.clock.advance(world.ports.timings.takeover_s + 1)
    world.ledger.claim_rows([row], owner="first janitor, then dead")
    assert second.run_once().claimed == 0


def test_a_paused_owner_neither_sends_nor_acknowledges_nor_deletes(world, dual):
    router = world.router()

    def paused(name, *where, **more):
        if name == "put":
            world.clock.advance(world.ports.timings.row_deadline_s + 1)

    world.store.before = paused
    with pytest.raises(UnknownOutcome):
        router.put(key_of("x"), {"body": "copper"})
    world.store.before = undisturbed
    follow(router)
    assert len(world.ledger.rows(dual.id, limit=10)) == 1


def test_a_router_past_its_lease_writes_nothing(world):
    router = world.router()
    world.clock.advance(world.ports.timings.idle_lease_s + 1)
    with pytest.raises(NotWritten, match="this router's lease has expired"):
        router.put(key_of("x"), {"body": "copper"})
    assert world.live("x") is None


def test_a_provider_that_is_down_means_not_written(world):
    def down(method, texts):
        raise Retryable("connection refused", where="http://127.0.0.1:9")

    world.embedders["old-model"].before = down
    with pytest.raises(NotWritten, match="the text could not be embedded"):
        world.router().put(key_of("x"), {"body": "copper"})


def test_a_version_is_acknowledged_only_after_an_unknown_outcome_has_aged(world, dual):
    router = world.router()
    router.refresh()

    def lost(name, *where, **more):
        if name == "put":
            raise UnknownOutcome("timed out")

    world.store.before = lost
    with pytest.raises(UnknownOutcome):
        router.put(key_of("x"), {"body": "copper"})
    world.store.before = undisturbed
    serving = world.walk_to(dual.id, Phase.SERVING, 100)
    moved = world.ledger.publish(serving, Mode.FREEZE, 100, who="test", why="test")
    router.refresh()
    assert acknowledged(world) < moved.version
    world.clock.advance(world.ports.timings.quarantine_s / 2)
    router.refresh()
    assert acknowledged(world) < moved.version
    world.clock.advance(world.ports.timings.quarantine_s)
    router.refresh()
    assert acknowledged(world) == moved.version


def acknowledged(world) -> int:
    (lease,), _ = world.ledger.leases("Docs")
    return lease.acknowledged_version


def test_a_held_write_that_runs_out_of_patience_undoes_the_freeze_and_goes_on(world, dual):
    world.ports = replace(world.ports, timings=replace(world.ports.timings, freeze_hold_s=0.05))
    router = world.router()
    serving = world.walk_to(dual.id, Phase.SERVING, 100)
    world.ledger.publish(serving, Mode.FREEZE, 100, who="test", why="test")
    router.refresh()
    receipt = router.put(key_of("x"), {"body": "copper"}, timeout=2)
    assert receipt.uuids == (key_of("x"),)
    assert world.ledger.snapshot("Docs").routing.mode is Mode.DUAL


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda r: r.put("not-a-uuid", {"body": "x"}), "'not-a-uuid' is not a UUID"),
        (lambda r: r.put(str(uuid.uuid4()), {"views": 1}), "the object has no text in body"),
        (lambda r: r.put(str(uuid.uuid4()), {"body": 7}), "property 'body' is embedded and must be text, not int"),
        (
            lambda r: r.put(str(uuid.uuid4()), {"body": "x", "embedding_model": "y"}),
            "the property names embedding_model are reserved",
        ),
        (
            lambda r: r.put(str(uuid.uuid4()), {"body": "x"}, vector=[1.0, 2.0]),
            "the vector has 2 dimensions; openai/old-model@64 has 64",
        ),
        (lambda r: r.put_many([(key_of(1), {"body": "a"}), (key_of(1), {"body": "b"})]), "a UUID stands twice"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(world, call, text):
    count = world.store.count("Docs")
    with pytest.raises(BadInput, match=text):
        call(world.router())
    assert world.store.count("Docs") == count


def test_updating_what_does_not_exist_says_so(world):
    with pytest.raises(NotFound, match=f"there is no object {key_of('nobody')}"):
        world.router().update(key_of("nobody"), {"views": 1})


def test_an_update_that_crosses_another_ends_with_the_vector_of_the_text_that_stands(world):
    world.ledger.save_pin(replace(world.ledger.pin("Docs"), recipe=TextRecipe(("body", "title"))), who="t", why="t")
    router = world.router()
    crossed = []

    def other_writer(name, collection, call):
        if name == "merge" and not crossed:
            crossed.append(True)
            world.store.merge("Docs", StoredObject(key_of(1), {"title": "lantern"}), timeout_s=1)

    world.store.before = other_writer
    router.update(key_of(1), {"body": "copper"})
    assert world.live(1).vectors[UNNAMED] == vector_of(OLD.space, "copper\nlantern")


def test_a_failure_after_the_merge_is_unknown_and_never_called_not_written(world, dual):
    router = world.router()

    def other_writer_then_no_provider(name, collection, call):
        if name == "merge":
            world.store.before = undisturbed
            world.embedders["old-model"].before = down

    def down(method, texts):
        raise Retryable("the provider went away")

    def other_writer(name, collection, call):
        if name == "merge":
            world.store.after = undisturbed
            world.store.merge("Docs", StoredObject(key_of(1), {"body": "somebody else's"}), timeout_s=1)

    world.store.before = other_writer_then_no_provider
    world.store.after = other_writer
    with pytest.raises(UnknownOutcome, match="written, but not with the vector of its text"):
        router.update(key_of(1), {"views": 3, "body": text_of(1)})
    assert len(world.ledger.rows(dual.id, limit=10)) == 1


def test_a_router_whose_lease_vanished_registers_and_acknowledges_anew(world):
    router = world.router()
    world.ledger.deregister(router._membership.router_id, pin="Docs")
    world.clock.advance(world.ports.timings.idle_lease_s / 2)
    router.refresh()
    router.refresh()
    (lease,), _ = world.ledger.leases("Docs")
    assert lease.router_id == router._membership.router_id
    assert lease.acknowledged_version == world.ledger.snapshot("Docs").routing.version
