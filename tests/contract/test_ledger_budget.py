"""What a migration may cost, changed by a person while it runs."""

from __future__ import annotations

import pytest

from tests.support.ledger_case import WHO, LedgerCase
from vecferry.domain.lifecycle import Phase
from vecferry.errors import Conflict, NotFound


def test_it_is_told_once_and_loses_nobodys_compare_and_set(ledger_case: LedgerCase) -> None:
    migration, ledger = ledger_case.at(Phase.DUAL_WRITING), ledger_case.ledger
    for who in ("ada", "bob"):
        ledger.set_budget(migration.id, 40.0, who=who, why="twice the texts")
    stored = ledger_case.another().migration(migration.id)
    assert dict(stored.options) == {**migration.options, "budget_usd": 40.0}
    assert stored.version == migration.version
    ledger.set_budget(migration.id, None, who="cid", why="no limit")
    told = [(e.who, e.why, dict(e.detail)) for e in ledger.events(migration_id=migration.id, what="budget")]
    was = migration.options.get("budget_usd")
    assert told == [("ada", "twice the texts", {"from": was, "to": 40.0}), ("cid", "no limit", {"from": 40.0, "to": None})]


def test_an_ended_or_unknown_migration_is_refused(ledger_case: LedgerCase) -> None:
    migration, ledger = ledger_case.at(Phase.PLANNED), ledger_case.ledger
    ledger.move(migration, Phase.DISCARDED, **WHO)
    with pytest.raises(Conflict):
        ledger.set_budget(migration.id, 1.0, **WHO)
    with pytest.raises(NotFound):
        ledger.set_budget("m9", 1.0, **WHO)
