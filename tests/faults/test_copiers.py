"""Schedules 6, 7, 13, 16 and 17 of protocol.md: backfill and parity."""

from __future__ import annotations

from tests.faults.fault_world import FaultWorld, expect
from tests.support.memory_world import key_of
from vecferry.errors import Conflict
from vecferry.steps import verify_parity


def test_schedule_6_backfill_crashes_with_a_put_in_flight_and_the_application_deletes(world: FaultWorld) -> None:
    """Rule 11: the dead worker's rows cover what it had sent, though the next worker's scan does not see the key."""
    world.plan()
    world.dual_write()
    world.copier("B1")
    world.s.run("B1", until="put_batch S")
    ghost = world.s.crash_in_flight("B1")
    world.deleter("W0", "0")
    world.s.run("W0")
    world.copier("B2")
    world.s.run("B2")
    ghost.land()
    world.settle()
    expect(world.live("0") is None, "the key stays deleted")


def test_schedule_7_parity_crashes_with_a_put_in_flight_before_a_clean_pass(dual: FaultWorld) -> None:
    """Rule 12: parity repairs under rows of its own, so that its ghost is covered whatever the next pass says."""
    _lose_copy(dual, "0")
    dual.s.actor("P1", lambda: compare(dual))
    dual.s.run("P1", until="put_batch S")
    ghost = dual.s.crash_in_flight("P1")
    dual.put("0", "two")
    expect(compare(dual).differences == 0, "the next pass is clean")
    ghost.land()
    dual.settle()


def test_schedule_13_parity_that_has_opened_its_row_before_the_flip(dual: FaultWorld) -> None:
    """Retire, step 4: the flip asserts an empty journal, and parity holds a row before it reads."""
    dual.serve_everything()
    _lose_copy(dual, "0")
    dual.s.actor("P1", lambda: compare(dual))
    dual.s.run("P1", until="put_batch S")
    dual.try_to_retire()
    dual.put("0", "acknowledged")
    dual.s.run("P1")
    expect(dual.authoritative("0") == "acknowledged", "an acknowledged write stays")


def test_schedule_13_parity_that_opens_its_row_after_the_flip(dual: FaultWorld) -> None:
    """Retire, step 1: past the freeze the ledger lets no copier open a row."""
    dual.serve_everything()
    _lose_copy(dual, "0")
    dual.s.actor("P1", lambda: compare(dual))
    dual.s.run("P1", until="open_rows")
    dual.try_to_retire()
    dual.put("0", "acknowledged")
    refused = dual.s.run_out("P1")
    expect(dual.authoritative("0") == "acknowledged", "an acknowledged write stays")
    expect(isinstance(refused, Conflict), "parity is told why it may not go on")


def test_schedule_16_a_batch_that_lies(dual: FaultWorld) -> None:
    """Rule 2a: a row is deleted only after S has been read back."""
    dual.store.set_read_only(dual.migration.spec.shadow, True)
    dual.application("W0", lambda r: r.put_many([(key_of(n), {"body": f"text {n}"}) for n in ("a", "b", "c")]))
    dual.s.run("W0")
    expect(dual.shadow("b") is None, "the shard is read-only")
    dual.store.set_read_only(dual.migration.spec.shadow, False)
    dual.settle()


def test_schedule_17_an_object_that_is_stored_and_not_indexed(dual: FaultWorld) -> None:
    """Rule 12a: parity asks the index, and mends by delete and insert, since an identical put heals nothing."""
    shadow = dual.migration.spec.shadow
    dual.store.unindex(shadow, key_of("0"))
    found = compare(dual)
    vector = {key_of("0"): dual.store.read(shadow, [key_of("0")])[key_of("0")].vectors[""]}
    expect(bool(dual.store.indexed(shadow, vector, vector_name="")), "searches find it again")
    expect(found.unindexed == 1, "the pass says what it found")
    dual.settle()


def compare(world: FaultWorld) -> verify_parity.Pass:
    return verify_parity.compare(world.ports, world.migration, repair=True)


def _lose_copy(world: FaultWorld, key: str) -> None:
    """What no row covers: somebody bypassed the router, or a backup was restored."""
    world.store.delete(world.migration.spec.shadow, key_of(key), timeout_s=1)
