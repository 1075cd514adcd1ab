"""Clearing any task at any time is safe: in a running Airflow, before and after ``retire``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vecferry.domain.lifecycle import Phase
from vecferry.sandbox.airflow_api import FINISHED
from vecferry.sandbox.demo.demo import Demo
from vecferry.sandbox.demo.migration_run import MIGRATION, MigrationRun
from vecferry.sandbox.demo.options import Options
from vecferry.sandbox.demo.screen import Screen
from vecferry.sandbox.demo.setting_up import running
from vecferry.sandbox.traffic.control import Wish
from vecferry.sandbox.wait_until import wait_until

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """The demo's servers and its application, without the demo's own road."""
    before = dict(os.environ)
    options = Options(exit=True, documents=400, queries=200, folder=tmp_path / "demo")
    try:
        with Screen() as screen, running(options, screen) as parts:
            yield parts
    finally:
        os.environ.clear()
        os.environ.update(before)


def standing(demo: Demo) -> tuple[Any, ...]:
    """What must not change when a task is run again."""
    migration = demo.migration()
    routing = demo.ports.ledger.snapshot(migration.pin).routing
    return migration.phase, migration.percent, migration.version, routing.version, routing.authority


def state_of(run: MigrationRun, task_id: str) -> str | None:
    return next(task["state"] for task in run.tasks() if task["task_id"] == task_id)


def clear_and_wait(run: MigrationRun, task: str | tuple[str, int]) -> None:
    """Clears with downstream, and waits until the run asks for retire's approval again."""
    run.api.clear(MIGRATION, run.run_id, [task])
    wait_until(lambda: state_of(run, "retire.approve") != "awaiting_input", awaited="the clear", deadline_s=60)
    run.wait_asked("retire.approve", deadline_s=300)


def test_whatever_is_cleared_ends_in_the_same_state(demo: Demo) -> None:
    run = demo.start_by_notice()
    run.approve("plan.approve")
    run.wait_asked("retire.approve", deadline_s=400)
    before = standing(demo)
    assert before[:2] == (Phase.SERVING, 100)
    for task in (("backfill.act", 0), "verify_parity.act", "cut_over_25.act"):
        clear_and_wait(run, task)
        assert standing(demo) == before, task

    run.approve("retire.approve")
    assert run.wait_end(deadline_s=200) == "success"
    demo.control.ask_and_wait(Wish.PAUSE_WRITES)
    retired, spec = standing(demo), demo.migration().spec
    assert retired[0] is Phase.RETIRED
    counts = [demo.ports.store.count(name) for name in (spec.live, spec.shadow)]
    run.clear("verify_parity.act")
    wait_until(lambda: run.state not in FINISHED, awaited="the cleared run", deadline_s=60)
    run.approve("retire.approve")
    assert run.wait_end(deadline_s=200) == "success"
    assert standing(demo) == retired
    assert [demo.ports.store.count(name) for name in (spec.live, spec.shadow)] == counts
    found = demo.check(both=False)
    nothing = ("lost", "stale", "resurrected", "mixed", "unindexed")
    assert {name: found[name] for name in nothing} == dict.fromkeys(nothing, 0)
