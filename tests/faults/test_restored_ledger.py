"""A ledger restored from yesterday's backup, on a real SQLite file: found by whoever remembers more, and nothing is written."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults import version_mutants
from tests.faults.fault_world import Broken, expect
from tests.support.memory_world import OLD, World, key_of, make_world, request, text_of
from vecferry.adapters.ledger.schema_version import open_ledger
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.routing import Arm, Mode
from vecferry.errors import NeedsPerson, NotWritten, Paused, VecferryError
from vecferry.protocol import restored
from vecferry.protocol.janitor import Janitor
from vecferry.router import Router
from vecferry.steps import doctor, retire, routers, stage_runner, verify_parity

Patch = pytest.MonkeyPatch


@dataclass
class Restorable:
    """A world whose ledger is a file that can be put back."""

    world: World
    file: Path
    migration_id: str = ""

    @property
    def migration(self) -> Migration:
        return self.world.ledger.migration(self.migration_id)

    def backup(self) -> Path:
        copied = self.file.with_suffix(".backup")
        copied.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute(f"VACUUM INTO '{copied}'")
        return copied

    def restore(self, backup: Path) -> None:
        self.world.ledger.close()  # connections only: the ledger opens new ones
        for suffix in ("-wal", "-shm"):
            Path(f"{self.file}{suffix}").unlink(missing_ok=True)
        shutil.copy(backup, self.file)

    def act(self, stage: str) -> None:
        stage_runner.act(stage, self.world.ports, self.migration_id)

    def later(self) -> None:
        self.world.clock.advance(3600)


@pytest.fixture
def case(tmp_path: Path) -> Any:
    world = make_world(6)
    ledger: Any = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=world.clock)
    ledger.save_pin(Pin("Docs", "Docs", OLD.space, TextRecipe(("body",))), who="test", why="test")
    made = Restorable(world.on(ledger), tmp_path / "ledger.db")
    yield made
    ledger.close()


def dual_writing(case: Restorable) -> None:
    case.migration_id = stage_runner.act("plan", case.world.ports, request())["migration_id"]
    case.act("create_shadow")
    case.world.walk_to(case.migration_id, Phase.SHADOW_CREATED)
    case.act("enable_dual_write")


def serving(case: Restorable) -> None:
    case.act("backfill")
    case.world.walk_to(case.migration_id, Phase.BACKFILLED)
    case.act("verify_parity")
    case.world.walk_to(case.migration_id, Phase.VALIDATED)
    case.act("cut_over_5")
    case.world.ledger.move(case.migration, Phase.SERVING, who="test", why="test", routing=(Mode.DUAL, 100))


def raised(call: Callable[[], Any]) -> BaseException | None:
    try:
        call()
    except VecferryError as error:
        return error
    return None


def expect_aside(router: Router) -> None:
    answer = router.search(text_of(1), key="u")
    expect((answer.arm, answer.reason) == (Arm.LIVE, "ledger_restored"), f"it reads from live and says why: {answer.route}")
    refused = raised(lambda: router.put(key_of("new"), {"body": "two"}))
    expect(isinstance(refused, NotWritten) and "restored from a backup" in refused.what, f"it writes nothing: {refused!r}")


def schedule_a_router_remembers(case: Restorable) -> None:
    router = case.world.router(driven=False)
    dual_writing(case)
    router.refresh()
    yesterday = case.backup()
    case.later()
    serving(case)
    router.refresh()
    case.restore(yesterday)
    router.refresh()
    expect_aside(router)
    expect(restored.standing(case.world.ledger, "Docs") is not None, "it has told the ledger")
    paused = raised(lambda: case.act("backfill"))
    expect(isinstance(paused, Paused) and "--accept-restored" in paused.next_action, f"the steps pause: {paused!r}")
    expect("restored from a backup" in (case.migration.paused or ""), "and say so")


def schedule_a_version_number_is_given_again(case: Restorable) -> None:
    """The router was away meanwhile: the restored ledger has come to the number that it remembers."""
    router = case.world.router(driven=False)
    dual_writing(case)
    router.refresh()
    yesterday = case.backup()
    case.later()
    router.refresh()
    serving(case)
    router.refresh()
    seen = router._membership.snapshot.routing.version
    case.restore(yesterday)
    case.later()
    case.world.walk_to(case.migration_id, Phase.VALIDATED)
    for percent in (5, 25, 100):
        case.world.ledger.move(case.migration, Phase.SERVING, who="test", why="test", routing=(Mode.DUAL, percent))
    expect(case.world.ledger.snapshot("Docs").routing.version >= seen, "the schedule is possible")
    router.refresh()
    expect_aside(router)


def schedule_nobody_remembers_but_the_shadow(case: Restorable) -> None:
    """All processes have begun anew since: the description of the shadow says how far the ledger was."""
    dual_writing(case)
    yesterday = case.backup()
    case.later()
    serving(case)
    case.restore(yesterday)
    expect_aside(case.world.router(driven=False))
    paused = raised(lambda: case.act("backfill"))
    expect(isinstance(paused, Paused), f"the steps pause: {paused!r}")


def schedule_the_flip_is_forgotten(case: Restorable) -> None:
    """The most dangerous one: live, which nobody writes any more, would be copied over what was written since the flip."""
    dual_writing(case)
    serving(case)
    verify_parity.act(case.world.ports, case.migration_id)
    case.world.ledger.open_rows(
        case.migration_id, [key_of(1)], tenant=None, owner="crashed", kind=RowKind.WRITE
    )  # will be in the backup
    yesterday = case.backup()
    row = case.world.ledger.rows(case.migration_id, limit=1)
    case.world.ledger.close_rows(row)
    retire.act(case.world.ports, case.migration_id)
    shadow = case.migration.spec.shadow
    router = case.world.router(driven=False)
    router.put(key_of(1), {"body": "after the flip"})
    case.restore(yesterday)
    fresh = case.world.router(driven=False)
    found = fresh.search(text_of(1), key="u", limit=6)
    expect(found.route.collection == shadow, f"readers are led to where the data is: {found.route}")
    expect(isinstance(raised(lambda: fresh.delete(key_of(1))), NotWritten), "it writes nothing")
    janitor = janitor_of(case)
    for _ in range(2):
        raised(janitor.run_once)
        case.world.clock.advance(case.world.ports.timings.takeover_s + 1)
    raised(lambda: verify_parity.act(case.world.ports, case.migration_id))
    raised(lambda: case.act("backfill"))
    stored = case.world.live(1, shadow)
    expect(stored is not None and stored.properties["body"] == "after the flip", "nothing is copied over the newer write")


def janitor_of(case: Restorable) -> Janitor:
    ports = case.world.ports
    return Janitor(
        "Docs",
        ledger=ports.ledger,
        store=ports.store,
        embedders=ports.embedders,
        clock=ports.clock,
        timings=ports.timings,
        owner="janitor",
    )


SCHEDULES = [
    (version_mutants.nobody_remembers_the_ledger, schedule_a_router_remembers),
    (version_mutants.nobody_remembers_the_ledger, schedule_a_version_number_is_given_again),
    (version_mutants.collections_are_not_asked, schedule_nobody_remembers_but_the_shadow),
    (version_mutants.collections_are_not_asked, schedule_the_flip_is_forgotten),
]


@pytest.mark.parametrize("schedule", [schedule for _, schedule in SCHEDULES])
def test_a_restored_ledger_is_found(case: Restorable, schedule: Any) -> None:
    schedule(case)


@pytest.mark.parametrize(("mutant", "schedule"), SCHEDULES)
def test_without_the_memory_it_is_not(case: Restorable, monkeypatch: Patch, mutant: Any, schedule: Any) -> None:
    mutant(monkeypatch)
    with pytest.raises(Broken):
        schedule(case)


def test_a_person_accepts_it_and_all_go_on_after_a_parity_pass(case: Restorable) -> None:
    schedule_a_router_remembers(case)
    world, ports = case.world, case.world.ports
    router = world.router(driven=False)
    assert router._membership.aside == "ledger_restored"
    case.later()
    routers.accept_restored(ports, world.ledger.pin("Docs"), who="tess", why="the newest that there is")
    for _ in range(2):
        router.refresh()
    router.put(key_of("new"), {"body": "after the restore"})
    world.ledger.set_paused(case.migration_id, None, who="tess")
    case.act("backfill")
    world.walk_to(case.migration_id, Phase.VALIDATED)
    with pytest.raises(NeedsPerson, match="no clean parity pass is younger than the restore"):
        case.act("cut_over_5")
    verify_parity.act(ports, case.migration_id)
    case.act("cut_over_5")
    assert world.ledger.snapshot("Docs").routing.percent == 5


def test_the_right_ledger_brought_back_is_believed_at_once(case: Restorable) -> None:
    router = case.world.router(driven=False)
    dual_writing(case)
    router.refresh()
    yesterday = shutil.copy(case.backup(), case.file.with_suffix(".yesterday"))
    case.later()
    router.refresh()
    serving(case)
    router.refresh()
    today = case.backup()
    case.restore(yesterday)
    router.refresh()
    expect_aside(router)
    case.restore(today)
    router.refresh()
    router.put(key_of("new"), {"body": "as ever"})


def test_doctor_finds_it(case: Restorable) -> None:
    dual_writing(case)
    yesterday = case.backup()
    case.later()
    serving(case)
    ports, pin = case.world.ports, case.world.ledger.pin("Docs")
    assert finding(ports, pin).result == "ok"
    case.restore(yesterday)
    found = finding(ports, pin)
    assert found.result == "problem"
    assert "restored from a backup" in found.what
    assert "--accept-restored" in found.next_action


def test_doctor_finds_a_shadow_that_the_ledger_does_not_know(case: Restorable) -> None:
    before = case.backup()
    dual_writing(case)
    shadow = case.migration.spec.shadow
    case.restore(before)
    found = finding(case.world.ports, case.world.ledger.pin("Docs"))
    assert (found.result, shadow in found.what) == ("problem", True)


def finding(ports: Any, pin: Pin) -> Any:
    return next(found for found in doctor.look_over(ports, pin) if found.looked_at == "ledger")
