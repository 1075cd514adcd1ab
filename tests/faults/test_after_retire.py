"""Schedule 12 of the protocol, and what else may happen to the old collection after the flip."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.faults import mutants_after_retire as mutants
from tests.faults.fault_world import LIVE, Broken, FaultWorld, expect
from tests.faults.mutants import Mutant
from vecferry.errors import NeedsPerson, NotWritten, Retryable, VecferryError
from vecferry.steps import drop_old, retire


def test_schedule_12_a_write_in_flight_before_retire_whose_router_wakes_and_dies(dual: FaultWorld) -> None:
    """Retire, step 6. Its process slept past lease and Q with the write on the wire, so the flip passed over it. It wakes, its
    lease is renewed, and it dies: the deletion waits for that lease and Q, by when the write has landed, or never will."""
    dual.serve_everything()
    sleeper = dual.writer("W0", "0", "two")
    dual.s.run("W0", until="put L")
    _worked_off(dual)
    expect(dual.try_to_retire(sleeper), "the flip passes over a router that has been expired for Q")
    sleeper.refresh()
    ghost = dual.s.crash_in_flight("W0")
    refused = _try_to_drop(dual)
    expect(LIVE in dual.store.collections(), "the old collection stands while a router may hold it")
    expect(isinstance(refused, Retryable) and "1 routers may still write to Docs" in refused.what, f"says who: {refused!r}")
    with suppress(NotWritten):  # the shards are read-only
        ghost.land()
    dual.clock.advance(dual.ports.timings.idle_lease_s + dual.ports.timings.quarantine_s)
    expect(_try_to_drop(dual) is None, "it waits no longer than the lease and Q")
    expect(LIVE not in dual.store.collections(), "and is gone then")


def test_schedule_12_a_router_that_dies_before_it_has_adopted_the_flip(dual: FaultWorld) -> None:
    """It still knows the old collection as the one to fall back to."""
    dual.serve_everything()
    dual.router()
    _flip_unseen(dual)
    expect(isinstance(_try_to_drop(dual), Retryable), "the deletion waits for its lease")
    expect(LIVE in dual.store.collections(), "the old collection stands while a router may hold it")
    dual.clock.advance(dual.ports.timings.lease_s)
    expect(isinstance(_try_to_drop(dual), Retryable), "and for Q")
    dual.clock.advance(dual.ports.timings.quarantine_s)
    expect(_try_to_drop(dual) is None, "not longer")


def test_a_dismissed_router_still_holds_the_old_collection(dual: FaultWorld) -> None:
    """A person's word that it is dead may be wrong, and this deletion cannot be taken back."""
    dual.serve_everything()
    router = dual.router()
    _flip_unseen(dual)
    dual.ledger.dismiss(router._membership.router_id, pin=LIVE, who="tess", why="it looks dead")
    dual.clock.advance(dual.ports.timings.quarantine_s)
    _try_to_drop(dual)
    expect(LIVE in dual.store.collections(), "the old collection stands while a router may hold it")


def test_a_write_that_lands_after_the_deletion_brings_nothing_back(dual: FaultWorld) -> None:
    """Where the server makes collections by itself it is not deleted at all."""
    dual.store.creates_missing = True
    dual.serve_everything()
    sleeper = dual.writer("W0", "0", "two")
    dual.s.run("W0", until="put L")
    _worked_off(dual)
    expect(dual.try_to_retire(sleeper), "the flip passes over a router that has been expired for Q")
    refused = _try_to_drop(dual)
    stood = LIVE in dual.store.collections()
    ghost = dual.s.crash_in_flight("W0")
    with suppress(NotWritten):
        ghost.land()
    expect(stood or LIVE not in dual.store.collections(), "the old collection did not come back")
    expect(isinstance(refused, NeedsPerson) and "AUTOSCHEMA_ENABLED=false" in refused.next_action, f"says how: {refused!r}")
    dual.store.creates_missing = False
    expect(_try_to_drop(dual) is None, "and is deleted once a write cannot bring it back")


def test_a_deletion_that_crashed_before_it_was_recorded_is_finished_by_the_next_run(dual: FaultWorld) -> None:
    dual.serve_everything()
    expect(dual.try_to_retire(), "it retires")
    dual.s.actor("D", lambda: _drop(dual))
    dual.s.run("D", until="drop L done")
    dual.s.crash("D")
    expect(_try_to_drop(dual) is None, "the next run succeeds")
    dropped = [e for e in dual.ledger.events(migration_id=dual.migration_id) if e.what == "old_dropped"]
    expect([(e.who, e.detail["stood"]) for e in dropped] == [("tess", False)], "it is recorded once, and as found")
    expect(_try_to_drop(dual) is None, "and again")


def test_a_collection_that_came_into_being_under_the_old_name_is_not_dropped(dual: FaultWorld) -> None:
    dual.serve_everything()
    expect(dual.try_to_retire(), "it retires")
    dual.s.actor("D", lambda: _drop(dual))
    dual.s.run("D", until="drop L done")
    dual.s.crash("D")
    dual.store.create({"class": LIVE, "properties": [], "vectorizer": "none"})
    refused = _try_to_drop(dual)
    expect(LIVE in dual.store.collections(), "somebody else's collection stands")
    expect(isinstance(refused, NeedsPerson) and "another one of that name" in refused.what, f"says why: {refused!r}")


SCHEDULES: list[tuple[Mutant, Callable[[FaultWorld], None]]] = [
    (mutants.the_deletion_waits_for_no_router, test_schedule_12_a_write_in_flight_before_retire_whose_router_wakes_and_dies),
    (mutants.the_deletion_waits_for_no_router, test_schedule_12_a_router_that_dies_before_it_has_adopted_the_flip),
    (mutants.the_deletion_takes_a_word_for_a_lease, test_a_dismissed_router_still_holds_the_old_collection),
    (mutants.nobody_asks_about_auto_schema, test_a_write_that_lands_after_the_deletion_brings_nothing_back),
    (
        mutants.whatever_has_the_name_is_the_old_one,
        test_a_collection_that_came_into_being_under_the_old_name_is_not_dropped,
    ),
]


@pytest.mark.parametrize(("mutant", "schedule"), SCHEDULES, ids=lambda value: value.__name__.removeprefix("test_")[:48])
def test_a_schedule_after_retire_finds_its_mutant(
    monkeypatch: pytest.MonkeyPatch, dual: FaultWorld, mutant: Mutant, schedule: Callable[[FaultWorld], None]
) -> None:
    mutant(monkeypatch)
    with pytest.raises(Broken):
        schedule(dual)


def _worked_off(world: FaultWorld) -> None:
    """The lease of whoever sleeps is over since Q, and the janitor has worked off its row."""
    janitor = world.janitor("J1")
    janitor.run_once()
    world.clock.advance(max(world.ports.timings.takeover_s, world.ports.timings.lease_s + world.ports.timings.quarantine_s))
    janitor.run_once()
    expect(not world.rows(), "the row is worked off")


def _flip_unseen(world: FaultWorld) -> None:
    """All routers acknowledge the freeze, and none has polled again since the flip."""
    world.s.actor("T", lambda: retire.act(world.ports, world.migration_id))
    while world.s.run_out("T", until="sleep") is None and not world.s.ended("T"):
        world.refresh()
    expect(world.ledger.snapshot(LIVE).routing.authority != LIVE, "authority has moved")


def _drop(world: FaultWorld) -> None:
    drop_old.act(world.ports, world.migration_id, who="tess", why="nobody needs it", now=True)


def _try_to_drop(world: FaultWorld) -> VecferryError | None:
    try:
        _drop(world)
    except VecferryError as error:
        return error
    return None
