"""Retire looks before it holds anybody's writes: a freeze that cannot end within the hold is not begun."""

from __future__ import annotations

import pytest

from tests.faults.fault_world import LIVE, Broken, FaultWorld, expect
from tests.support.memory_world import key_of
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Mode
from vecferry.errors import NotYet, Retryable, UnknownOutcome
from vecferry.steps import retire

TRIED_EVERY_S = 3.0


def freezes(world: FaultWorld) -> int:
    return sum(routing.mode is Mode.FREEZE for routing in world.ledger.routings(LIVE))


def unknown_write(world: FaultWorld, name: str = "W0") -> None:
    """It lands, nobody is told, and its row is left to the janitor."""
    world.writer(name, "0", "two")
    world.s.run(name, until="put L")
    world.s.time_out(name).land()
    expect(isinstance(world.s.error_of(name), UnknownOutcome), "the application is told that nobody knows")


def refused(world: FaultWorld) -> Retryable:
    with pytest.raises(Retryable) as caught:
        retire.act(world.ports, world.migration_id)
    return caught.value


def schedule_writers_are_held_once(world: FaultWorld) -> None:
    """An orchestrator tries again every few seconds, until the janitor has worked the row off."""
    world.serve_everything()
    unknown_write(world)
    world.clock.advance(world.ports.timings.write_timeout_s)
    janitor = world.janitor("J1")
    attempts = 1
    while not world.try_to_retire():
        expect(attempts < 30, "it retires once the row is gone")
        janitor.run_once()
        world.clock.advance(TRIED_EVERY_S)
        world.refresh()
        attempts += 1
    expect(attempts > 3, f"the row stays for longer than a few attempts ({attempts})")
    expect(freezes(world) == 1, f"writers were held {freezes(world)} times in {attempts} attempts")
    expect(world.authoritative("0") == "two", "the write that landed is in the new collection")


def test_a_write_of_unknown_outcome_is_waited_for_and_writers_are_held_once(dual: FaultWorld) -> None:
    schedule_writers_are_held_once(dual)


def test_without_the_look_they_are_held_each_time(dual: FaultWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retire, "obstacle", lambda ports, migration: None)
    with pytest.raises(Broken, match="writers were held"):
        schedule_writers_are_held_once(dual)


def test_a_row_that_comes_after_the_look_undoes_the_freeze_and_the_next_attempt_looks_again(dual: FaultWorld) -> None:
    dual.serve_everything()
    router = dual.router()
    dual.retirer("T")
    dual.s.run("T", until="publish ledger")
    unknown_write(dual)
    while dual.s.run_out("T", until="sleep") is None and not dual.s.ended("T"):
        dual.refresh()
    expect(dual.ledger.snapshot(LIVE).routing.mode is Mode.DUAL, "the freeze is undone")
    expect(dual.migration.phase is Phase.SERVING, "authority has not moved")
    dual.refresh()
    router.put(key_of("1"), {"body": "goes on"})
    dual.clock.advance(2 * dual.ports.timings.delta_s)
    assert "journal rows" in refused(dual).what
    expect(freezes(dual) == 1, "and nobody is held again")


def test_it_says_what_it_waits_for_and_when_to_come_again(dual: FaultWorld) -> None:
    dual.serve_everything()
    unknown_write(dual)
    dual.clock.advance(5.0)
    timings = dual.ports.timings
    error = refused(dual)
    assert "no write is held, for 1 journal rows (0 of copiers), the oldest 5 s old" in error.what
    assert isinstance(error, NotYet), "which uses up no retries"
    assert error.retry_after_s == pytest.approx(timings.takeover_s + timings.delta_s - 5.0)
    dual.clock.advance(timings.takeover_s)
    error = refused(dual)
    assert "if no router runs: vecferry janitor Docs" in error.what
    assert not isinstance(error, NotYet), "nobody can say when; the orchestrator's own tries and waits count"
    assert error.retry_after_s is None
    assert freezes(dual) == 0


def test_a_copiers_row_is_waited_for_however_young(dual: FaultWorld) -> None:
    dual.serve_everything()
    rows = dual.ledger.open_rows(dual.migration_id, [key_of("1")], tenant=None, owner="P", kind=RowKind.PARITY)
    assert "1 journal rows (1 of copiers)" in refused(dual).what
    dual.ledger.close_rows(rows)
    assert dual.try_to_retire()


def test_a_young_row_of_a_write_under_way_is_not(dual: FaultWorld) -> None:
    """There is always one where there is traffic; it closes while newer ones are held."""
    dual.serve_everything()
    dual.writer("W0", "0", "two")
    dual.s.run("W0", until="put L done")
    assert retire.may_freeze(dual.ports, dual.migration_id).done
    dual.retirer("T")
    dual.s.run("T", until="sleep")
    dual.s.run("W0")
    while dual.s.run_out("T", until="sleep") is None and not dual.s.ended("T"):
        dual.refresh()
    assert dual.migration.phase is Phase.RETIRED
    assert dual.authoritative("0") == "two"


def test_a_router_that_expired_less_than_q_ago_is_waited_for(dual: FaultWorld) -> None:
    dual.serve_everything()
    gone = dual.router()
    gone.refresh()
    dual.routers.remove(gone)
    dual.clock.advance(dual.ports.timings.lease_s + 1.0)
    error = refused(dual)
    assert f"what {gone._membership.router_id} may have sent" in error.what
    assert error.retry_after_s == pytest.approx(dual.ports.timings.quarantine_s - 1.0)
    dual.clock.advance(dual.ports.timings.quarantine_s - 1.0)
    assert dual.try_to_retire()
    assert freezes(dual) == 1


def test_where_nothing_is_open_the_look_waits_for_nothing(dual: FaultWorld) -> None:
    dual.serve_everything()
    before = dual.clock.monotonic()
    dual.retirer("T")
    dual.s.run("T", until="publish ledger")
    assert dual.clock.monotonic() == before
    dual.s.run("T")
    assert dual.clock.monotonic() == before
