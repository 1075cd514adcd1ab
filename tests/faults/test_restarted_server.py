"""The index of a killed server forgets acknowledged vectors, some of them long written: nobody has a row for that."""

from __future__ import annotations

import pytest

from tests.faults.fault_world import FaultWorld, expect
from tests.support.memory_world import key_of
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Mode
from vecferry.errors import NeedsPerson
from vecferry.steps import reopen, roll_back, stage_runner, verify_parity
from vecferry.steps.entrance import INDEX_DOUBTED


def test_what_a_killed_servers_index_forgot_is_found_before_authority_moves(dual: FaultWorld) -> None:
    """Rule 12a: at the entrance of retire, since parity was proven before the kill."""
    dual.serve_everything()
    killed(dual, forgets="0")
    stage_runner.act("retire", dual.ports, dual.migration_id)
    expect(dual.migration.phase is Phase.RETIRED, "nothing else is in the way")
    doubted = dual.ledger.events(migration_id=dual.migration_id, what=INDEX_DOUBTED)
    expect(len(doubted) == 1, "it is told why it took so long")
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


def test_a_server_killed_after_the_pass_of_a_rollback(dual: FaultWorld) -> None:
    """Rule 12a: nothing is served again from an index that nobody has looked at."""
    dual.serve_everything()
    roll_back.act(dual.ports, dual.migration_id, who="tess", why="test")
    dual.clock.advance(1)
    verify_parity.act(dual.ports, dual.migration_id)
    killed(dual, forgets="0")
    with pytest.raises(NeedsPerson, match="may have restarted"):
        reopen.act(dual.ports, dual.migration_id, who="tess", why="test")
    verify_parity.act(dual.ports, dual.migration_id)
    reopen.act(dual.ports, dual.migration_id, who="tess", why="test")
    expect(is_found(dual, "0"), "a search finds it again")


def test_a_node_that_does_not_answer_has_not_restarted(dual: FaultWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    dual.serve_everything()
    for told, restarted in (
        ({}, False),
        ({"another": "1"}, False),
        ({"memory": "0", "another": "1"}, False),
        ({"memory": "1"}, True),
    ):
        monkeypatch.setattr(dual.store, "incarnations", lambda told=told: told)
        expect(verify_parity.restarted_since(dual.ports, dual.migration) is restarted, str(told))


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
