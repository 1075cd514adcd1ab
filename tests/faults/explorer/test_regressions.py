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


LATE_CORRECTION = [
    "W0 does put a",
    "W1 does title a, put a",
    "W1 to merge L done",
    "W0 to put L done",
    "W1 to merge L",
    "time out W1 in flight",
]
"""An update that wrote no text meets another's put, sends the vector of that text, and gets no answer."""


def test_a_vector_that_lands_late_does_not_stand_beside_a_newer_text() -> None:
    """The update wrote no text, so it has no vector to send: its process goes straight on to its put."""
    assert replay(SCENARIOS["one-router"], LATE_CORRECTION, strict=False).broken == ""


def test_an_update_that_sends_a_vector_for_others_leaves_it_beside_a_newer_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next put is acknowledged, then the vector lands: live finds the object by a text that it no longer has."""
    mutants.updates_send_vectors_for_others(monkeypatch)
    assert replay(SCENARIOS["one-router"], LATE_CORRECTION).broken == "the vector of a in Docs is not its text's"
