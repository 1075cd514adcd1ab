import pytest

from tests.support.cli_world import World
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import Phase


@pytest.fixture
def world():
    return World().started().proven_up_to(Phase.BACKFILLED)


def left_behind(world, count=3):
    """Rows of a writer that crashed."""
    keys = world.store.keys("Docs", after="", until="f" * 8 + "-ffff-ffff-ffff-" + "f" * 12, limit=count)
    world.ledger.open_rows(world.migration.id, keys, tenant=None, owner="crashed", kind=RowKind.WRITE)


def test_once_works_off_what_is_there(world):
    left_behind(world)
    done = world.done("janitor", "Docs", "--once")
    assert (done["closed"], done["watched"], done["failed"]) == (3, 0, "")


def test_once_with_an_empty_journal_ends_at_once(world):
    before = world.clock.monotonic()
    assert world.done("janitor", "Docs", "--once")["rounds"] == 1
    assert world.clock.monotonic() == before


def test_it_runs_until_ctrl_c_and_says_how_to_go_on(world, monkeypatch):
    left_behind(world)
    until = world.clock.monotonic() + 60

    def sleep(seconds):
        if world.clock.monotonic() > until:
            raise KeyboardInterrupt
        world.clock.advance(seconds)

    monkeypatch.setattr(world.clock, "sleep", sleep)
    said = world.run("janitor", "Docs")
    assert said.code == 130
    assert "3 worked off" in said.err
    assert "vecferry janitor Docs" in said.err
    assert world.ledger.journal_counts(world.migration.id) == {}


def test_status_and_doctor_say_when_rows_wait_for_somebody(world):
    left_behind(world)
    world.clock.advance(60)
    assert "vecferry janitor Docs" in world.run("status", "Docs").out
    said = world.run("doctor", "Docs", "--json")
    assert said.code == 1
    assert {f["looked_at"]: f["result"] for f in said.json["findings"]}["journal"] == "problem"
