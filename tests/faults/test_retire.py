"""Schedules 11 and 14 of protocol.md: the freeze."""

from __future__ import annotations

from tests.faults.fault_world import FaultWorld, expect
from vecferry.domain.routing import Mode


def test_schedule_11_a_router_acknowledges_and_crashes_just_before_the_freeze(dual: FaultWorld) -> None:
    """Retire, step 3: after the acknowledgements the journal must be empty, so the flip waits for the janitor."""
    dual.serve_everything()
    dead = dual.writer("W0", "0", "two")
    dual.s.run("W0", until="put L done")
    dual.s.crash("W0")
    janitor = dual.janitor("J1")
    janitor.run_once()
    dual.clock.advance(dual.ports.timings.lease_s + dual.ports.timings.quarantine_s)
    dual.refresh(dead)
    retired = dual.try_to_retire(dead)
    if not retired:
        expect(dual.ledger.snapshot("Docs").routing.mode is Mode.DUAL, "the freeze is undone, and nobody held")
        dual.clock.advance(dual.ports.timings.takeover_s)
        janitor.run_once()
        expect(dual.try_to_retire(dead), "the next attempt retires")
    expect(dual.authoritative("0") == "two", "the acknowledged write is not lost")


def test_schedule_11_a_reconcile_paused_after_its_read_blocks_the_flip(dual: FaultWorld) -> None:
    """Retire, step 4: W0 has read the old value under a row; while the row is there authority does not move."""
    dual.serve_everything()
    dual.writer("W0", "0", "two")
    dual.s.run("W0", until="put_batch S")
    dual.try_to_retire()
    dual.put("0", "three")
    dual.s.run_out("W0")
    expect(dual.authoritative("0") == "three", "the newer acknowledged write is not lost")


def test_schedule_14_retire_dies_after_the_freeze_and_writes_go_on_within_the_hold_limit(impatient: FaultWorld) -> None:
    """Retire, step 4: a router whose hold runs out undoes the freeze, so a dead task holds nobody."""
    world = impatient.copied()
    world.serve_everything()
    world.writer("W0", "0", "two")
    world.router()  # does not acknowledge at once, so that retire has to wait
    world.retirer("T")
    world.s.run("T", until="sleep")
    world.s.crash("T")
    world.refresh()
    error = world.s.run_out("W0")
    expect(error is None, f"the held write goes on: {error!r}")
    expect(world.live("0") == "two", "into live")
    expect(world.ledger.snapshot("Docs").routing.mode is Mode.DUAL, "and the freeze is undone")
    world.settle()
