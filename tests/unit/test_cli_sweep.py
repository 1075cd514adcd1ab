"""``vecferry sweep`` and what plan, status and report say of it."""

import json

import pytest

from tests.support.cli_world import World, document, key
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Mode
from vecferry.steps import sweep


@pytest.fixture
def world():
    made = World().pinned()
    made.done("plan", "Docs", "--to", "sandbox-char-2", "--soak-minutes", "0", "--sweep", "--start")
    return made.proven_up_to(Phase.VERIFIED)


def test_the_plan_says_what_it_means():
    said = World().pinned().run("plan", "Docs", "--to", "sandbox-char-2", "--sweep").out
    assert "found by scanning both collections again and again: slower" in " ".join(said.split())
    assert "a person has to say that these writers have moved" in " ".join(said.split())
    plan = World().pinned().done("plan", "Docs", "--to", "sandbox-char-2", "--sweep")
    assert plan["sweep_staleness_s"] == pytest.approx(2 * 60 / 1000 + 60)
    assert World().pinned().done("plan", "Docs", "--to", "sandbox-char-2")["sweep_staleness_s"] is None


def test_once_brings_over_what_was_written_natively(world):
    world.store.delete("Docs", key(3), timeout_s=1)
    world.store.put("Docs", document(777), timeout_s=1)
    done = world.done("sweep", "Docs", "--once")
    assert (done["changed"], done["new"], done["deleted"], done["mended"], done["clean"]) == (0, 1, 1, 2, True)
    assert done["staleness_bound_s"] is not None
    assert set(world.store.read(world.migration.spec.shadow, [key(3), key(777)])) == {key(777)}


def test_it_goes_on_until_ctrl_c_and_past_what_passes_by_itself(world, monkeypatch):
    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        world.clock.advance(seconds)
        world.ledger.set_paused(world.migration.id, "lunch" if len(pauses) == 1 else None, who="tess")
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(world.clock, "sleep", sleep)
    said = world.run("sweep", "Docs", "--every", "30")
    assert said.code == 130
    assert pauses == [30.0, 30.0, 30.0]
    assert said.err.count("0 changed, 0 new, 0 deleted, 0 mended of 60 objects") == 2
    assert "tried again in 30 s" in said.err
    assert "paused: lunch" in said.err
    assert "To go on, run again: vecferry sweep Docs --every 30" in said.err


def test_it_ends_with_the_migration(world):
    moved = world.clock.sleep

    def sleep(seconds):
        world.ledger.move(world.migration, Phase.DISCARDED, who="tess", why="enough", routing=(Mode.LIVE_ONLY, 0))
        moved(seconds)

    world.clock.sleep = sleep
    said = world.run("sweep", "Docs")
    assert said.code == 0, said.err
    assert "nothing is left to sweep" in said.out


def test_json_needs_an_end(world):
    said = world.run("sweep", "Docs", "--json")
    assert said.code == 2
    assert json.loads(said.err)["next"] == "Add --once."


def test_a_migration_without_sweep_is_refused_by_name():
    said = World().started().run("sweep", "Docs")
    assert said.code == 2
    assert "planned without sweep" in said.err


def test_status_and_report_say_how_late_and_who_gave_the_word(world):
    world.done("sweep", "Docs", "--once")
    said = world.done("sweep", "Docs", "--writers-moved", "--why", "release 12")
    assert (said["who"], said["caught_up"]) == ("tester", 0)
    for verb in ("status", "report"):
        out = " ".join(world.run(verb, "Docs").out.split())
        assert "what is written without the Router is followed within" in out, verb
        assert "tester said that the writers have moved: release 12" in out, verb
        row = world.done(verb, "Docs")["sweep"]
        assert row["writers_moved"]["stands"] is True
        assert row["staleness_bound_s"] is not None
    world.clock.advance(1)
    world.store.put("Docs", document(777), timeout_s=1)
    sweep.act(world.ports, world.migration.id)
    assert "the word does not count any more" in " ".join(world.run("status", "Docs").out.split())


def test_the_word_needs_a_reason(world):
    said = world.run("sweep", "Docs", "--writers-moved")
    assert said.code == 2
    assert "a person and a reason" in said.err
