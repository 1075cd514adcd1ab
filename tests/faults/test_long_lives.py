"""Migrations last weeks: the ledger is upgraded in mid-run, and clocks jump."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.ledger_case import PIN, WHO, lease
from tests.support.memory_world import OLD, DrivenClock, World, golden_rows, key_of, make_world, request, text_of
from vecferry.adapters.ledger.host_clock import HostClock
from vecferry.adapters.ledger.schema_version import SHIPPED, Revisions, open_ledger, upgrade
from vecferry.adapters.memory.clock import ManualClock
from vecferry.domain.lifecycle import Phase
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Arm
from vecferry.steps import backfill, retire, stage_runner, verify_parity
from vecferry.steps.verify_parity import last_clean_pass


class JumpingClock(DrivenClock):
    """A machine whose wall clock somebody sets; ``monotonic`` goes on as ever."""

    boot = "one-boot"

    def __init__(self) -> None:
        super().__init__()
        self.off_by = timedelta()

    def now(self) -> datetime:
        return super().now() + self.off_by


def sql_world(url: str) -> World:
    world = make_world(12)
    ledger: Any = open_ledger(url, clock=world.clock)
    ledger.save_pin(Pin("Docs", "Docs", OLD.space, TextRecipe(("body",))), who="test", why="test")
    return world.on(ledger)


def next_release(folder: Path) -> Revisions:
    """An additive revision, as the next release would ship it."""
    shutil.copytree(SHIPPED.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_next.py").write_text(
        f"from alembic import op\nrevision, down_revision = '9999', '{SHIPPED.head}'\n\n\ndef upgrade():\n"
        '    op.execute("ALTER TABLE journal ADD COLUMN priority INTEGER NOT NULL DEFAULT 0")\n'
        '    op.execute("ALTER TABLE routers ADD COLUMN zone TEXT")\n'
        "    op.execute(\"INSERT INTO works_with (revision) VALUES ('9999')\")\n"
    )
    return Revisions(folder, "9999")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("fresh_postgres_url"))
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def test_the_ledger_is_upgraded_in_mid_migration_and_this_release_goes_on(url: str, tmp_path: Path) -> None:
    """A router and a task that have it open, and those that open it afterwards, up to the flip."""
    world = sql_world(url)
    router = world.router()
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    world.walk_to(migration_id, Phase.SHADOW_CREATED)
    stage_runner.act("enable_dual_write", world.ports, migration_id)
    world.clock.sleep(0.5)
    router.put(key_of(1), {"body": "before"})
    assert upgrade(url, revisions=next_release(tmp_path / "next")) == (SHIPPED.head, "9999")
    router.put(key_of(2), {"body": "after"})
    again: Any = open_ledger(url, clock=world.clock)  # a task of this release that starts now
    ports = replace(world.ports, ledger=again)
    backfill.run_all(ports, migration_id)
    world.walk_to(migration_id, Phase.BACKFILLED)
    while router._queue.run_once():
        pass
    verify_parity.act(ports, migration_id)
    world.walk_to(migration_id, Phase.SERVING, 100)
    world.clock.sleep(0.5)
    assert router.search(text_of(3), key="u").arm is Arm.SHADOW
    retire.act(ports, migration_id)
    router.refresh()
    router.put(key_of(3), {"body": "after the flip"})
    stored = world.live(3, again.migration(migration_id).spec.shadow)
    assert stored is not None
    assert stored.properties["body"] == "after the flip"
    again.close()
    world.ledger.close()


# --- clocks


@pytest.fixture
def jumping() -> World:
    """Workers and routers on a clock that jumps, the ledger on its own."""
    world = make_world(20)
    world.ledger.save_golden("Docs", golden_rows(12))
    clock = JumpingClock()
    steady = world.clock
    clock.advance_ledger = steady.advance  # type: ignore[attr-defined]
    return replace(world, clock=clock, ports=replace(world.ports, clock=clock))


def both(world: World, seconds: float) -> None:
    world.clock.advance(seconds)
    world.clock.advance_ledger(seconds)  # type: ignore[attr-defined]


@pytest.mark.parametrize("days", [-1, 1])
def test_a_routers_lease_outlives_a_jump_of_its_wall_clock(jumping: World, days: int) -> None:
    router = jumping.router(driven=False)
    jumping.clock.off_by = timedelta(days=days)  # type: ignore[attr-defined]
    router.put(key_of(1), {"body": "after the jump"})
    assert router._membership.valid
    [stored], now = jumping.ledger.leases("Docs")
    assert (stored.expires_at - now).total_seconds() == jumping.ports.timings.idle_lease_s
    both(jumping, jumping.ports.timings.idle_lease_s)
    assert not router._membership.valid


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clean_pass_is_as_old_as_the_ledger_says(jumping: World, days: int) -> None:
    """Else a worker a day behind would call yesterday's pass young, and one a day ahead none."""
    migration_id = stage_runner.act("plan", jumping.ports, request())["migration_id"]
    stage_runner.act("create_shadow", jumping.ports, migration_id)
    jumping.walk_to(migration_id, Phase.DUAL_WRITING)
    stage_runner.act("backfill", jumping.ports, migration_id)
    jumping.walk_to(migration_id, Phase.BACKFILLED)
    jumping.clock.off_by = timedelta(days=-days)  # type: ignore[attr-defined]
    verify_parity.act(jumping.ports, migration_id)
    jumping.clock.off_by = timedelta(days=days)  # type: ignore[attr-defined]
    migration, limit_s = jumping.ledger.migration(migration_id), jumping.ports.gates.parity_max_age_s
    assert last_clean_pass(jumping.ports, migration, limit_s) is not None
    both(jumping, limit_s + 1)
    assert last_clean_pass(jumping.ports, migration, limit_s) is None


@pytest.mark.parametrize("days", [-1, 1])
def test_a_soak_is_as_long_as_the_ledger_says(jumping: World, days: int) -> None:
    migration_id = stage_runner.act("plan", jumping.ports, request(soak_minutes=30))["migration_id"]
    stage_runner.act("create_shadow", jumping.ports, migration_id)
    jumping.walk_to(migration_id, Phase.VALIDATED)
    jumping.walk_to(migration_id, Phase.SERVING, 5)
    jumping.clock.off_by = timedelta(days=days)  # type: ignore[attr-defined]
    both(jumping, 60)
    answer = stage_runner.ready("cut_over_5", jumping.ports, migration_id)
    assert answer.waiting_for == "the soak: 1.0 of 30.0 minutes"
    both(jumping, 1800)
    assert "soak" not in stage_runner.ready("cut_over_5", jumping.ports, migration_id).waiting_for


@pytest.mark.parametrize("days", [-1, 1])
def test_on_sqlite_no_jump_of_the_hosts_clock_ends_a_lease(tmp_path: Path, days: int) -> None:
    """All processes of the host jump together, and so would the ages of all that is stored."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    clock = JumpingClock()
    open_ledger(url, clock=clock).close()
    ledger = open_ledger(url, clock=clock)
    ledger.save_pin(PIN, **WHO)
    ledger.register(lease("router-1", lease_s=3600))
    clock.off_by = timedelta(days=days)
    another = open_ledger(url, clock=clock)  # a process that starts after the jump
    for seen in (ledger, another):
        [stored], now = seen.leases("Docs")
        assert (stored.expires_at - now).total_seconds() == pytest.approx(3600, abs=1)
        seen.close()


def test_a_host_that_does_not_name_its_boots_has_its_wall_clock(tmp_path: Path) -> None:
    clock = ManualClock()
    assert HostClock(clock).now() == clock.now()
