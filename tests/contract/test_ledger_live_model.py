"""The old model is gone: a flag on the migration, under the locks of a move."""

from __future__ import annotations

import pytest

from tests.support.ledger_case import WHO, LedgerCase, at_once, kinds
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Mode
from vecferry.errors import Conflict, NeedsPerson, NotFound


def test_it_is_told_once_and_seen_by_routers_without_a_new_version(ledger_case: LedgerCase) -> None:
    migration, ledger = ledger_case.at(Phase.SERVING, percent=25), ledger_case.ledger
    version = ledger.snapshot("Docs").routing.version
    for who in ("ada", "bob"):
        ledger.set_live_model_gone(migration.id, True, who=who, why="it ended")
    snapshot = ledger_case.another().snapshot("Docs")
    assert snapshot.migration is not None
    assert (snapshot.migration.live_model_gone, snapshot.routing.version) == (True, version)
    assert snapshot.migration.version == migration.version, "nobody's compare-and-set is lost by it"
    ledger.set_live_model_gone(migration.id, False, who="cid", why="it is back")
    told = [(e.what, e.who, e.why) for e in ledger.events(migration_id=migration.id) if "live_model" in e.what]
    assert told == [("live_model_gone", "ada", "it ended"), ("live_model_back", "cid", "it is back")]
    assert not ledger.migration(migration.id).live_model_gone


def test_other_options_stay_as_they_are(ledger_case: LedgerCase) -> None:
    migration, ledger = ledger_case.at(Phase.PLANNED), ledger_case.ledger
    ledger.set_live_model_gone(migration.id, True, **WHO)
    assert dict(ledger.migration(migration.id).options) == {**migration.options, "live_model_gone": True}


def test_no_move_rolls_back_while_it_is_gone(ledger_case: LedgerCase) -> None:
    migration, ledger = ledger_case.at(Phase.SERVING, percent=25), ledger_case.ledger
    ledger.set_live_model_gone(migration.id, True, **WHO)
    with pytest.raises(NeedsPerson, match="there is no way back: sandbox/sandbox-word-1@384 is gone"):
        ledger.move(migration, Phase.ROLLED_BACK, **WHO, routing=(Mode.DUAL, 0))
    assert ledger.move(migration, Phase.SERVING, **WHO, routing=(Mode.DUAL, 100)).percent == 100
    ledger.set_live_model_gone(migration.id, False, **WHO)
    moved = ledger.move(ledger.migration(migration.id), Phase.ROLLED_BACK, **WHO, routing=(Mode.DUAL, 0))
    assert moved.phase is Phase.ROLLED_BACK


def test_a_rollback_at_the_same_moment_is_before_it_or_refused(ledger_case: LedgerCase) -> None:
    migration = ledger_case.at(Phase.SERVING, percent=25)
    first, second = ledger_case.another(), ledger_case.another()
    answers = at_once(
        lambda: first.move(migration, Phase.ROLLED_BACK, **WHO, routing=(Mode.DUAL, 0)),
        lambda: second.set_live_model_gone(migration.id, True, **WHO),
    )
    told = [e.what for e in ledger_case.ledger.events(migration_id=migration.id)]
    back = ledger_case.ledger.migration(migration.id).phase is Phase.ROLLED_BACK
    assert kinds(answers) == (["Migration", "NoneType"] if back else ["NeedsPerson", "NoneType"])
    if back:
        assert told.index("live_model_gone") > max(place for place, what in enumerate(told) if what in ("move", "publish"))


def test_an_ended_or_unknown_migration_is_refused(ledger_case: LedgerCase) -> None:
    migration, ledger = ledger_case.at(Phase.VALIDATED), ledger_case.ledger
    ledger.move(migration, Phase.DISCARDED, **WHO, routing=(Mode.LIVE_ONLY, 0))
    with pytest.raises(Conflict, match="it ended: discarded"):
        ledger.set_live_model_gone(migration.id, True, **WHO)
    with pytest.raises(NotFound, match="m9"):
        ledger.set_live_model_gone("m9", True, **WHO)
