"""The index of a killed server forgets acknowledged vectors, some of them long written: nobody has a row for that."""

from __future__ import annotations

from tests.faults.fault_world import FaultWorld, expect
from tests.support.memory_world import key_of
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Mode
from vecferry.steps import stage_runner, verify_parity


def test_what_a_killed_servers_index_forgot_is_found_before_authority_moves(dual: FaultWorld) -> None:
    """Rule 12a: at the entrance of retire, since parity was proven before the kill."""
    dual.serve_everything()
    killed(dual, forgets="0")
    stage_runner.act("retire", dual.ports, dual.migration_id)
    expect(dual.migration.phase is Phase.RETIRED, "nothing else is in the way")
    expect(is_found(dual, "0"), "a search finds it again")
    dual.settle()


def test_what_a_killed_servers_index_forgot_is_found_before_more_is_served(dual: FaultWorld) -> None:
    """Rule 12a: at the entrance of each cut-over."""
    dual.backfill()
    dual.walk_to(Phase.BACKFILLED)
    stage_runner.act("verify_parity", dual.ports, dual.migration_id)
    dual.walk_to(Phase.VALIDATED)
    killed(dual, forgets="1")
    stage_runner.act("cut_over_5", dual.ports, dual.migration_id)
    expect(dual.migration.percent == 5, "the percent is raised")
    expect(is_found(dual, "1"), "a search finds it again")


def test_a_server_killed_between_the_look_and_the_flip(dual: FaultWorld) -> None:
    """Rule 12a: the freeze is undone, and the next attempt looks again."""
    dual.serve_everything()
    dual.retirer("T")
    dual.s.run("T", until="journal_counts done")
    while dual.ledger.snapshot("Docs").routing.mode is not Mode.FREEZE:
        dual.s.run("T", until="journal_counts done")
    killed(dual, forgets="0")
    dual.s.run_out("T")
    expect(dual.migration.phase is Phase.SERVING, "authority has not moved to an index that nobody has looked at")
    expect(dual.ledger.snapshot("Docs").routing.mode is Mode.DUAL, "and nobody is held")
    stage_runner.act("retire", dual.ports, dual.migration_id)
    expect(is_found(dual, "0"), "a search finds it again")


def test_without_a_restart_nothing_is_looked_for_again(dual: FaultWorld) -> None:
    dual.serve_everything()
    stage_runner.act("retire", dual.ports, dual.migration_id)
    passes = dual.ledger.events(migration_id=dual.migration_id, what=verify_parity.CLEAN_PASS)
    expect(len(passes) == 1, "one pass, that of verify_parity")


def killed(world: FaultWorld, *, forgets: str) -> None:
    world.store.unindex(world.migration.spec.shadow, key_of(forgets))
    world.store.restart()


def is_found(world: FaultWorld, key: str) -> bool:
    shadow = world.migration.spec.shadow
    stored = world.store.read(shadow, [key_of(key)])[key_of(key)]
    return bool(world.store.indexed(shadow, {stored.uuid: stored.vectors[""]}, vector_name=""))
