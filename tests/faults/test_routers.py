"""Schedules 8, 9, 10 and 15 of protocol.md: barriers, leases and the way back."""

from __future__ import annotations

import pytest

from tests.faults.fault_world import FaultWorld, expect
from tests.support.memory_world import key_of
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Mode
from vecferry.errors import BadInput, Conflict, NeedsPerson
from vecferry.router import Router
from vecferry.steps import discard, roll_back, stage_runner, verify_parity


def test_schedule_8_an_ambiguous_write_from_before_dual_write_lands_after_adoption(world: FaultWorld) -> None:
    """Rule 14: an operation of unknown outcome finishes Q after it was sent, and the barrier waits for it."""
    router = world.writer("W0", "0", "two")
    world.s.run("W0", until="put L")
    ghost = world.s.time_out("W0")
    world.plan()
    world.dual_write()
    if barrier_passed(world):
        world.backfill()
        ghost.land()
    else:
        ghost.land()  # at the latest at Q
        world.clock.advance(world.ports.timings.quarantine_s)
        router.refresh()
        expect(barrier_passed(world), "the barrier waits no longer than Q")
        world.backfill()
    world.settle()


@pytest.mark.parametrize("refreshed", [False, True], ids=["at once", "after its lease was renewed"])
def test_schedule_9_an_expired_router_resumes_during_a_barrier(world: FaultWorld, refreshed: bool) -> None:
    """Rule 15: what began under a lease that has expired since sends nothing, also if the lease was renewed meanwhile."""
    router = world.writer("W0", "0", "two")
    world.s.run("W0", until="embed_documents L")
    world.clock.advance(world.ports.timings.idle_lease_s + world.ports.timings.quarantine_s)
    world.plan()
    stage_runner.act("enable_dual_write", world.ports, world.migration_id)
    expect(barrier_passed(world), "the barrier waits for expiry + Q")
    world.backfill()
    if refreshed:
        router.refresh()
    world.s.run_out("W0")
    world.settle()


def test_schedule_9_an_expired_router_resumes_during_a_freeze(dual: FaultWorld) -> None:
    """Rule 15 and retire, step 4: without a row there is no write, and after the flip there are no rows."""
    dual.serve_everything()
    router = dual.writer("W0", "0", "two")
    dual.s.run("W0", until="embed_documents L")
    _outlive_its_lease(dual, router)
    dual.retirer("T")
    dual.s.run("T", until="set_description L")  # flipped, and the old collection not yet read-only
    dual.s.run_out("W0")
    dual.s.run("T")
    expect(dual.s.error_of("W0") is not None, "the write is not acknowledged")
    expect(dual.live("0") != "two", "nothing is sent to the old collection")


def test_schedule_9_an_expired_router_that_holds_a_row_blocks_the_flip(dual: FaultWorld) -> None:
    """Retire, step 3: the journal must be empty, whoever is alive."""
    dual.serve_everything()
    router = dual.writer("W0", "0", "two")
    dual.s.run("W0", until="open_rows done")
    _outlive_its_lease(dual, router)
    expect(not dual.try_to_retire(router), "the flip waits for the row")
    dual.s.run_out("W0")
    expect(dual.live("0") != "two", "nothing is sent past the lease")
    dual.settle()


def test_schedule_10_a_delete_while_dual_write_is_off_then_a_new_attempt(dual: FaultWorld) -> None:
    """Rule 16: a new attempt goes into a new collection name, where an old copier cannot write."""
    first = dual.migration.spec.shadow
    dual.put("late", "one")
    dual.store.delete(first, key_of("late"), timeout_s=1)
    dual.s.actor("B1", lambda: verify_parity.compare(dual.ports, dual.migration, repair=True))
    dual.s.run("B1", until="put_batch S")
    discard.act(dual.ports, dual.migration_id, who="tess", why="no budget")
    dual.delete("late")
    dual.copied()
    expect(dual.migration.spec.shadow != first, "the name is a new one")
    late = dual.s.run_out("B1")
    expect(isinstance(late, BadInput | Conflict), f"the old copier ends: {late!r}")
    expect(first not in dual.store.collections(), "and re-creates nothing")
    dual.settle()
    expect(dual.shadow("late") is None, "no orphan")


def test_schedule_15_a_cut_over_that_was_under_way_during_a_rollback_changes_nothing(dual: FaultWorld) -> None:
    """Rule 16: acts compare-and-set phase and version."""
    dual.serve_everything()
    dual.ledger.move(dual.migration, Phase.ROLLED_BACK, who="test", why="test", routing=(Mode.DUAL, 0))
    dual.ledger.move(dual.migration, Phase.SERVING, who="test", why="reopened", routing=(Mode.DUAL, 5))
    dual.s.actor("C", lambda: stage_runner.act("cut_over_25", dual.ports, dual.migration_id))
    dual.s.run("C", until="move")
    roll_back.act(dual.ports, dual.migration_id, who="tess", why="a feeling")
    refused = dual.s.run_out("C")
    expect(dual.ledger.snapshot("Docs").routing.percent == 0, "nobody is served by the shadow")
    expect(isinstance(refused, Conflict), "the act says that somebody was first")
    with pytest.raises(NeedsPerson, match="cut_over_25 does nothing on a migration that is rolled back"):
        stage_runner.act("cut_over_25", dual.ports, dual.migration_id)


def barrier_passed(world: FaultWorld) -> bool:
    return stage_runner.ready("enable_dual_write", world.ports, world.migration_id).done


def _outlive_its_lease(world: FaultWorld, paused: Router) -> None:
    world.clock.advance(world.ports.timings.lease_s + world.ports.timings.quarantine_s)
    world.refresh(paused)
