"""Migrations: one active for a pin, moved along the table only, by whoever read the latest version."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import DBAPIError

from tests.support.ledger_case import NEW_PIN, PIN, WHO, LedgerCase, at_once, kinds, planned
from vecferry.domain.lifecycle import FORWARD, MOVES, Phase
from vecferry.domain.routing import Mode
from vecferry.errors import BadInput, Conflict, NotFound


def test_a_migration_comes_back_exactly_as_it_was_started(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    spec = replace(planned().spec, carried=("image", "title"), overlong="skip", max_tokens=512, vector_name="text")
    options = {"percents": [5, 25, 100], "budget_usd": 1.25, "deadline": None, "words": {"ä": True}}
    wanted = replace(planned(), spec=spec, options=options, notice_id="n-1", attempt=3)
    assert ledger_case.ledger.start_migration(wanted, **WHO) == wanted
    assert ledger_case.ledger.migration("m1") == wanted
    assert ledger_case.ledger.active_migration("Docs") == wanted


def test_an_unknown_migration_is_answered_with_those_that_exist(ledger_case: LedgerCase) -> None:
    ledger_case.at(Phase.PLANNED)
    with pytest.raises(NotFound, match=r"'m9'.*m1"):
        ledger_case.ledger.migration("m9")


def test_a_second_migration_on_a_pin_is_answered_with_the_id_of_the_first(ledger_case: LedgerCase) -> None:
    ledger_case.at(Phase.PLANNED)
    with pytest.raises(Conflict, match="migration m1 is active"):
        ledger_case.ledger.start_migration(planned("m2", shadow="Docs_v3"), **WHO)


def test_of_two_migrations_that_start_together_one_does(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    first, second = ledger_case.ledger, ledger_case.another()
    answers = at_once(
        lambda: first.start_migration(planned("m1"), **WHO),
        lambda: second.start_migration(planned("m2", shadow="Docs_v3"), **WHO),
    )
    assert kinds(answers) == ["Conflict", "Migration"]
    assert len(ledger_case.ledger.migrations("Docs")) == 1


def test_a_pin_is_free_after_a_discard_and_the_newest_migration_comes_first(ledger_case: LedgerCase) -> None:
    ledger = ledger_case.ledger
    ledger.move(ledger_case.at(Phase.SHADOW_CREATED), Phase.DISCARDED, **WHO)
    assert ledger.active_migration("Docs") is None
    ledger.start_migration(planned("m2", shadow="Docs_v3"), **WHO)
    assert [m.id for m in ledger.migrations("Docs")] == ["m2", "m1"]
    assert [m.id for m in ledger.migrations()] == ["m2", "m1"]
    assert ledger.migrations("Other") == []


def test_a_new_attempt_goes_into_a_new_collection_name(ledger_case: LedgerCase) -> None:
    ledger_case.ledger.move(ledger_case.at(Phase.SHADOW_CREATED), Phase.DISCARDED, **WHO)
    with pytest.raises(Conflict, match="Docs_v2 was the shadow of migration m1"):
        ledger_case.ledger.start_migration(planned("m2"), **WHO)


def test_a_plan_made_before_the_pin_moved_is_refused(ledger_case: LedgerCase) -> None:
    ledger_case.ledger.save_pin(NEW_PIN, **WHO)
    with pytest.raises(Conflict, match="planned from Docs_v1, and the pin is at Docs_v2"):
        ledger_case.ledger.start_migration(planned(shadow="Docs_v3"), **WHO)


def test_a_migration_starts_planned(ledger_case: LedgerCase) -> None:
    ledger_case.pinned()
    with pytest.raises(BadInput, match="starts in phase planned"):
        ledger_case.ledger.start_migration(replace(planned(), phase=Phase.SERVING), **WHO)


def test_a_move_raises_the_version_and_is_an_event(ledger_case: LedgerCase) -> None:
    ledger = ledger_case.ledger
    moved = ledger.move(ledger_case.at(Phase.PLANNED), Phase.SHADOW_CREATED, who="ada", why="next")
    assert (moved.phase, moved.version) == (Phase.SHADOW_CREATED, 2)
    assert ledger.migration("m1") == moved
    event = ledger.events(migration_id="m1")[-1]
    assert (event.who, event.what, event.why) == ("ada", "move", "next")
    assert (event.detail["from"], event.detail["to"]) == ("planned", "shadow_created")


@pytest.mark.parametrize("origin", [phase for phase in FORWARD if phase is not Phase.RETIRED])
def test_a_phase_moves_only_along_the_table(ledger_case: LedgerCase, origin: Phase) -> None:
    migration = ledger_case.at(origin)
    for target in Phase:
        if (origin, target) not in MOVES or target is Phase.RETIRED:
            with pytest.raises(BadInput, match=r"may become|only the flip"):
                ledger_case.ledger.move(migration, target, **WHO)
    assert ledger_case.ledger.migration("m1") == migration


def test_a_move_from_a_version_that_is_past_is_refused(ledger_case: LedgerCase) -> None:
    migration = ledger_case.at(Phase.SHADOW_CREATED)
    with pytest.raises(Conflict, match="somebody was first: it is shadow_created at version 2"):
        ledger_case.ledger.move(replace(migration, version=1), Phase.DUAL_WRITING, **WHO)
    with pytest.raises(Conflict, match="somebody was first"):
        ledger_case.ledger.move(replace(migration, phase=Phase.PLANNED), Phase.SHADOW_CREATED, **WHO)


def test_of_two_moves_from_one_version_exactly_one_wins(ledger_case: LedgerCase) -> None:
    migration = ledger_case.at(Phase.VALIDATED)
    first, second = ledger_case.ledger, ledger_case.another()
    answers = at_once(
        lambda: first.move(migration, Phase.SERVING, **WHO, routing=(Mode.DUAL, 5)),
        lambda: second.move(migration, Phase.SERVING, **WHO, routing=(Mode.DUAL, 5)),
    )
    assert kinds(answers) == ["Conflict", "Migration"]
    assert [r.version for r in ledger_case.ledger.routings("Docs")] == [1, 2, 3]


def test_a_move_publishes_the_next_routing_version_with_it(ledger_case: LedgerCase) -> None:
    migration = ledger_case.at(Phase.SERVING, percent=25)
    snapshot = ledger_case.ledger.snapshot("Docs")
    assert (snapshot.routing.version, snapshot.routing.mode, snapshot.routing.percent) == (3, Mode.DUAL, 25)
    assert snapshot.routing.migration_id == "m1"
    assert snapshot.migration == migration
    assert migration.percent == 25


def test_a_move_without_routing_leaves_routing_and_percent(ledger_case: LedgerCase) -> None:
    before = ledger_case.at(Phase.BACKFILLED)
    routing = ledger_case.ledger.snapshot("Docs").routing
    assert ledger_case.ledger.move(before, Phase.VERIFIED, **WHO).percent == before.percent
    assert ledger_case.ledger.snapshot("Docs").routing == routing


def test_a_rollback_that_leaves_queries_on_the_shadow_is_refused(ledger_case: LedgerCase) -> None:
    migration = ledger_case.at(Phase.SERVING, percent=5)
    with pytest.raises(BadInput, match="only serving has a percent above 0"):
        ledger_case.ledger.move(migration, Phase.ROLLED_BACK, **WHO)
    rolled_back = ledger_case.ledger.move(migration, Phase.ROLLED_BACK, **WHO, routing=(Mode.DUAL, 0))
    assert (rolled_back.phase, rolled_back.percent) == (Phase.ROLLED_BACK, 0)


def test_a_discard_that_leaves_dual_write_on_is_refused(ledger_case: LedgerCase) -> None:
    migration = ledger_case.at(Phase.BACKFILLED)
    with pytest.raises(BadInput, match="discarded needs mode live_only"):
        ledger_case.ledger.move(migration, Phase.DISCARDED, **WHO)
    ledger_case.ledger.publish(migration, Mode.LIVE_ONLY, 0, **WHO)
    assert ledger_case.ledger.move(migration, Phase.DISCARDED, **WHO).ended


def test_dual_write_that_was_switched_off_never_comes_back(ledger_case: LedgerCase) -> None:
    """Rule 16: a key deleted in between would stay in the shadow."""
    migration = ledger_case.at(Phase.BACKFILLED)
    ledger_case.ledger.publish(migration, Mode.LIVE_ONLY, 0, **WHO)
    with pytest.raises(BadInput, match="switched off and never comes back"):
        ledger_case.ledger.publish(migration, Mode.DUAL, 0, **WHO)


@pytest.mark.parametrize(
    ("phase", "mode", "percent", "words"),
    [
        (Phase.PLANNED, Mode.DUAL, 0, "no shadow to write to"),
        (Phase.VERIFIED, Mode.DUAL, 5, "only serving has a percent"),
        (Phase.SERVING, Mode.DUAL, 101, "percent is 0 … 100"),
        (Phase.SERVING, Mode.LIVE_ONLY, 100, "live_only serves 0%"),
        (Phase.SERVING, Mode.FREEZE, 25, "a freeze needs phase serving at 100%"),
        (Phase.VALIDATED, Mode.FREEZE, 0, "a freeze needs phase serving at 100%"),
    ],
)
def test_a_routing_that_the_phase_does_not_allow_is_refused(
    ledger_case: LedgerCase, phase: Phase, mode: Mode, percent: int, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        ledger_case.ledger.publish(ledger_case.at(phase), mode, percent, **WHO)


def test_publishing_leaves_the_migration_as_it_is(ledger_case: LedgerCase) -> None:
    migration = ledger_case.at(Phase.SERVING)
    routing = ledger_case.ledger.publish(migration, Mode.FREEZE, 100, **WHO)
    assert ledger_case.ledger.migration("m1") == migration
    assert ledger_case.ledger.routings("Docs")[-1] == routing
    assert routing.published_at is not None
    assert routing.published_at.utcoffset() is not None


def test_publishing_from_a_version_that_is_past_is_refused(ledger_case: LedgerCase) -> None:
    migration = ledger_case.at(Phase.SERVING)
    with pytest.raises(Conflict, match="somebody was first"):
        ledger_case.ledger.publish(replace(migration, version=1), Mode.FREEZE, 100, **WHO)


def test_nothing_is_published_for_a_migration_that_ended(ledger_case: LedgerCase) -> None:
    discarded = ledger_case.ledger.move(ledger_case.at(Phase.PLANNED), Phase.DISCARDED, **WHO)
    with pytest.raises(Conflict, match="it ended: discarded"):
        ledger_case.ledger.publish(discarded, Mode.DUAL, 0, **WHO)


def test_a_pause_has_a_reason_and_loses_nobodys_compare_and_set(ledger_case: LedgerCase) -> None:
    ledger, migration = ledger_case.ledger, ledger_case.at(Phase.PLANNED)
    ledger.set_paused("m1", "quota", who="ada")
    assert ledger.migration("m1").paused == "quota"
    ledger.move(migration, Phase.SHADOW_CREATED, **WHO)
    ledger.set_paused("m1", None, who="ada")
    assert ledger.migration("m1").paused is None
    assert [e.what for e in ledger.events(migration_id="m1")] == ["start", "pause", "move", "unpause"]


def test_a_plan_is_kept(ledger_case: LedgerCase) -> None:
    ledger_case.at(Phase.PLANNED)
    plan = {"tokens": 12, "cost_usd": 0.1 + 0.2, "cohorts": [{"de": 1}], "none": None}
    ledger_case.ledger.save_plan("m1", plan)
    assert ledger_case.ledger.migration("m1").plan == plan


@pytest.mark.parametrize("call", ["set_paused", "save_plan"])
def test_an_unknown_migration_is_neither_paused_nor_planned(ledger_case: LedgerCase, call: str) -> None:
    ledger = ledger_case.ledger
    with pytest.raises(NotFound, match="m9"):
        ledger.set_paused("m9", "x", who="ada") if call == "set_paused" else ledger.save_plan("m9", {})


_FORBIDDEN = (
    "UPDATE migrations SET phase = 'serving', version = version + 1",  # not along the table
    "UPDATE migrations SET phase = 'shadow_created'",  # without a version
    "UPDATE migrations SET version = version + 2, phase = 'shadow_created'",
    "UPDATE migrations SET version = version - 1",
    "UPDATE migrations SET percent = 50",
    "UPDATE migrations SET phase = 'lost', version = version + 1",
    "DELETE FROM migrations",
    "INSERT INTO migrations (id, pin, phase, version, percent, attempt, shadow, spec, from_space, options, plan)"
    " VALUES ('m2', 'Docs', 'planned', 1, 0, 1, 'Docs_v3', '{}', '{}', '{}', '{}')",  # a second active one
    "INSERT INTO migrations (id, pin, phase, version, percent, attempt, shadow, spec, from_space, options, plan)"
    " VALUES ('m2', 'Docs', 'discarded', 1, 0, 1, 'Docs_v3', '{}', '{}', '{}', '{}')",  # does not start planned
    "INSERT INTO migrations (id, pin, phase, version, percent, attempt, shadow, spec, from_space, options, plan)"
    " VALUES ('m2', 'Nowhere', 'planned', 1, 0, 1, 'Docs_v3', '{}', '{}', '{}', '{}')",
    "UPDATE routing SET version = version - 1",
    "UPDATE routing SET version = version + 1",  # not in the history
    "UPDATE routing SET percent = 100",
    "DELETE FROM routing",
    "UPDATE routing_versions SET mode = 'dual'",
    "DELETE FROM routing_versions",
)


def test_the_database_itself_refuses(sql_case: LedgerCase) -> None:
    migration = sql_case.at(Phase.PLANNED)
    before = sql_case.ledger.snapshot("Docs")
    for statement in _FORBIDDEN:
        with pytest.raises(DBAPIError):
            sql_case.sql(statement)
    assert sql_case.ledger.migrations() == [migration]
    assert sql_case.ledger.snapshot("Docs") == before


def test_the_database_knows_the_same_moves_as_the_domain(sql_case: LedgerCase) -> None:
    assert {(Phase(a), Phase(b)) for a, b in sql_case.sql("SELECT origin, target FROM moves")} == MOVES


def test_a_retired_shadow_may_be_migrated_in_turn(ledger_case: LedgerCase) -> None:
    migration, version = ledger_case.frozen()
    ledger_case.ledger.flip(migration, version, NEW_PIN, quarantine_s=8, who="retire")
    back = replace(planned("m2", shadow="Docs_v3", pin=NEW_PIN))
    assert ledger_case.ledger.start_migration(back, **WHO).spec.live == "Docs_v2"
    assert PIN.collection == "Docs_v1"
