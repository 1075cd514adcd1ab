"""Schedules that the explorer has found once, as it printed them."""

from __future__ import annotations

import pytest

from tests.faults import mutants
from tests.faults.explorer.running import replay
from tests.faults.explorer.scenarios import SCENARIOS

DELETED_UNDER_THE_OLD_ROUTING = [
    "W0 does delete a",
    "W1 does title a",
    "W0 to delete L",
    "M to sleep",
    "M to sleep",
    "W1 to end",
]
"""A has not adopted dual-write: its delete has no row, and takes effect after B, which has, copied the object."""


def test_a_delete_under_the_old_routing_leaves_no_orphan_behind_an_early_adopter() -> None:
    assert replay(SCENARIOS["adoption"], DELETED_UNDER_THE_OLD_ROUTING).broken == ""


def test_a_backfill_that_scans_live_alone_does_not_see_that_orphan(monkeypatch: pytest.MonkeyPatch) -> None:
    mutants.backfill_scans_live_alone(monkeypatch)
    outcome = replay(SCENARIOS["adoption"], DELETED_UNDER_THE_OLD_ROUTING)
    assert outcome.broken == "in the end the shadow's a is not f(live): an orphan"
