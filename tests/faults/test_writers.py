"""Schedules 1 to 5 of protocol.md: applications, their routers and the janitor."""

from __future__ import annotations

from tests.faults.fault_world import FaultWorld, expect
from tests.support.memory_world import key_of
from vecferry.errors import UnknownOutcome


def test_schedule_1_a_stale_shadow_write_after_a_newer_verify_is_healed_by_the_reread(dual: FaultWorld) -> None:
    """Rule 2: after S is written L is read again, and what differs starts over."""
    dual.writer("W0", "a", "one")
    dual.s.run("W0", until="put_batch S")
    dual.put("a", "two")
    expect(dual.shadow("a") == "two", "the newer write is verified")
    dual.s.run("W0")
    expect(dual.shadow("a") == "two", "the stale value does not stay")
    expect(not dual.rows(), "both are done, without a janitor")


def test_schedule_2_a_live_write_that_times_out_and_lands_after_the_reconcile(dual: FaultWorld) -> None:
    """Rule 4: an unknown result on L leaves the row, whatever else succeeds."""
    dual.put("a", "one")
    router = dual.writer("W0", "a", "two")
    dual.s.run("W0", until="put L")
    ghost = dual.s.time_out("W0")
    expect(isinstance(dual.s.error_of("W0"), UnknownOutcome), "the application is told that it is not known")
    while router._queue.run_once():
        pass
    ghost.land()
    dual.settle()


def test_schedule_3_a_shadow_write_that_times_out_and_lands_between_rewrite_and_reread(dual: FaultWorld) -> None:
    """Rule 4: an unknown result on S leaves the row, so that the older value cannot stay."""
    dual.writer("W0", "a", "one")
    dual.s.run("W0", until="put_batch S")
    ghost = dual.s.time_out("W0")
    dual.writer("W1", "a", "two")
    dual.s.run("W1", until="put_batch S")
    dual.s.run("W1", until="read S done")  # read back: it is there
    ghost.land()
    dual.s.run("W1")
    dual.settle()


def test_schedule_4_a_janitor_crashes_with_a_shadow_write_in_flight(dual: FaultWorld) -> None:
    """Rule 10: the claim changes the token, so that the second janitor waits T again, and the ghost has landed by then."""
    dual.writer("W0", "a", "one")
    dual.s.run("W0", until="put L done")
    dual.s.crash("W0")
    first, second = dual.janitor("J1"), dual.janitor("J2")
    for janitor in (first, second):
        janitor.run_once()
    dual.clock.advance(dual.ports.timings.takeover_s)
    dual.refresh()
    dual.s.actor("J1", first.run_once)
    dual.s.run("J1", until="put_batch S")
    ghost = dual.s.crash_in_flight("J1")
    dual.put("a", "two")
    second.run_once()
    ghost.land()
    dual.settle()


def test_schedule_5_a_paused_owner_whose_row_is_gone_neither_sends_nor_acknowledges(dual: FaultWorld) -> None:
    """Rule 7: the owner's deadline passes before a janitor may act, and it looks at it before each send."""
    router = dual.writer("W0", "a", "one")
    dual.s.run("W0", until="open_rows done")
    _janitor_works_off(dual)
    router.refresh()
    dual.s.run_out("W0", until="put L done")
    dual.s.crash("W0")
    expect(dual.live("a") is None, "nothing is sent past the deadline")
    dual.settle()


def test_schedule_5_a_paused_owner_acknowledges_nothing_past_its_deadline(dual: FaultWorld) -> None:
    """Rule 7: also before acknowledging."""
    router = dual.writer("W0", "a", "one")
    dual.s.run("W0", until="put L done")
    dual.clock.advance(dual.ports.timings.row_deadline_s)
    router.refresh()
    error = dual.s.run_out("W0")
    expect(isinstance(error, UnknownOutcome), "the application is told that it is not known")
    dual.settle()


def test_schedule_5_a_paused_owner_does_not_delete_a_row_that_was_claimed(dual: FaultWorld) -> None:
    """Rule 8: a row is deleted only by who holds its token."""
    dual.writer("W0", "a", "one")
    dual.s.run("W0", until="close_rows")  # verified
    janitor = dual.janitor("J1")
    janitor.run_once()
    dual.clock.advance(dual.ports.timings.takeover_s)
    dual.refresh()
    dual.s.actor("J1", janitor.run_once)
    dual.s.run("J1", until="read L done")
    dual.put("a", "two")
    dual.s.run("J1", until="put_batch S")
    ghost = dual.s.crash_in_flight("J1")  # S = one
    dual.s.run("W0")
    ghost.land()
    dual.settle()


def test_a_copy_that_landed_when_its_server_was_killed_and_no_search_finds(dual: FaultWorld) -> None:
    """Rule 12a: what nobody confirmed may be stored and not indexed; equal as it is, only the index tells."""
    router = dual.writer("W0", "a", "one")
    dual.s.run("W0", until="put_batch S done")
    dual.s.crash("W0")
    shadow = dual.migration.spec.shadow
    dual.store.unindex(shadow, key_of("a"))
    _janitor_works_off(dual)
    router.refresh()
    vector = {key_of("a"): dual.store.read(shadow, [key_of("a")])[key_of("a")].vectors[""]}
    expect(bool(dual.store.indexed(shadow, vector, vector_name="")), "searches find it")
    dual.settle()


def _janitor_works_off(world: FaultWorld) -> None:
    janitor = world.janitor("J1")
    janitor.run_once()
    world.clock.advance(world.ports.timings.takeover_s)
    expect(janitor.run_once().closed == 1, "the janitor finishes what the owner left")
