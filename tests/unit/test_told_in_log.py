"""Who reads the log of a task that takes hours sees where it is."""

from __future__ import annotations

import pytest

from tests.support.memory_world import make_world, request
from vecferry.adapters.memory.clock import ManualClock
from vecferry.domain.lifecycle import Phase
from vecferry.steps import stage_runner, verify_parity
from vecferry.steps.told_in_log import EVERY_S, ToldInLog


def test_it_is_told_every_half_minute_with_what_is_left(caplog: pytest.LogCaptureFixture) -> None:
    clock, asked = ManualClock(), []
    told = ToldInLog(clock, "docs-1: compared", lambda: asked.append(1) or 10_000)  # type: ignore[func-returns-value]
    with caplog.at_level("INFO"):
        for done in range(0, 7_000, 1_000):
            told(done)
            clock.advance(EVERY_S / 2)
    assert caplog.messages == [
        "docs-1: compared: 2,000 objects, 67 a second; of about 10,000, 2.0 minutes left",
        "docs-1: compared: 4,000 objects, 67 a second; of about 10,000, 1.5 minutes left",
        "docs-1: compared: 6,000 objects, 67 a second; of about 10,000, 1.0 minutes left",
    ]
    assert asked == [1]


def test_short_work_is_not_told_and_its_total_not_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    told = ToldInLog(ManualClock(), "docs-1: compared", lambda: pytest.fail("for nothing"))
    with caplog.at_level("INFO"):
        told(1_000)
    assert caplog.messages == []


def test_parity_and_backfill_tell_it(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecferry.steps.told_in_log.EVERY_S", 0.0)
    world = make_world(3)
    migration_id = str(stage_runner.act("plan", world.ports, request())["migration_id"])
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.DUAL_WRITING)
    world.embedders["new-model"].before = lambda method, texts: world.clock.advance(1)
    with caplog.at_level("INFO"):
        stage_runner.act("backfill", world.ports, migration_id)
        verify_parity.compare(world.ports, world.ledger.migration(migration_id), repair=False)
    told = [message for message in caplog.messages if message.startswith(migration_id)]
    assert any("copied" in message and "3 objects" in message for message in told)
