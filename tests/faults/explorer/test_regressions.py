"""Schedules that the explorer has found once, as it printed them."""

from __future__ import annotations

import pytest

from tests.faults import mutants
from tests.faults.explorer.determinism import deterministic
from tests.faults.explorer.running import Run, replay
from tests.faults.explorer.scenarios import SCENARIOS
from tests.faults.explorer.templates import LIVE, OLD
from tests.support.memory_world import key_of
from vecferry.adapters.memory.embedder import vector_of
from vecferry.domain.objects import UNNAMED

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


@pytest.mark.xfail(strict=True, reason="an update of other properties than the text sends the vector of a text it has read")
def test_a_vector_that_lands_late_does_not_stand_beside_a_newer_text() -> None:
    """The next put is acknowledged, then the vector lands: live finds the object by a text that it no longer has."""
    with deterministic():
        run = Run(SCENARIOS["one-router"], {"W0": ["put a"], "W1": ["title a", "put a"]})
        try:
            for entry in LATE_CORRECTION[2:]:
                assert run.follow(entry)
            assert run.finish() == ""
            found = run.world.raw_store.read(LIVE, [key_of("a")])[key_of("a")]
        finally:
            run.close()
    assert found.vectors[UNNAMED] == vector_of(OLD.space, str(found.properties["body"]))
