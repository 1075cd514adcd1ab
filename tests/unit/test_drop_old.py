"""The old collection after retire: its date, who may go before it, and what stands in the way."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support import cli_world
from tests.support.carried import retired, serving
from tests.support.memory_world import make_world
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Mode
from vecferry.errors import BadInput, NeedsPerson, Retryable
from vecferry.steps import discard, drop_old, report, retire, stage_runner, status

BY = {"who": "tess", "why": "nobody needs it"}
DAY_S = 24 * 3600


@pytest.fixture
def world():
    return make_world()


def drop(world, migration_id, **named):
    return drop_old.act(world.ports, migration_id, **(BY | named))


def test_retire_keeps_the_old_collection_until_a_date_that_a_later_setting_does_not_move(world):
    migration_id = retired(world)
    flip = world.ledger.routings("Docs")[-1].published_at
    later = replace(world.ports, gates=replace(world.ports.gates, keep_old_days=0.0))
    old = status.look(later, "Docs")["old_collection"]
    assert old == {"collection": "Docs", "kept_until": (flip + timedelta(days=14)).isoformat(), "dropped": None}
    assert report.gather(later, "Docs")["old_collection"].items() >= old.items()
    assert retire.act(later, migration_id)["kept_until"] == old["kept_until"]


def test_the_request_may_ask_for_another_time(world):
    migration_id = retired(world, keep_days=3)
    with pytest.raises(NeedsPerson, match="Docs is kept until"):
        drop(world, migration_id)
    world.clock.advance(3 * DAY_S)
    drop(world, migration_id)
    with pytest.raises(BadInput, match="keep_days must not be negative"):
        retired(world, keep_days=-1)


def test_a_retire_that_crashed_before_it_told_the_date_keeps_it_all_the_same(world, monkeypatch):
    migration_id = serving(world, 100)
    with monkeypatch.context() as patch:
        patch.setattr(retire, "_record_once", crash)
        with pytest.raises(KeyboardInterrupt):
            retire.act(world.ports, migration_id)
    with pytest.raises(NeedsPerson, match="Docs is kept until"):
        drop(world, migration_id)
    assert report.gather(world.ports, "Docs")["write_hold_s"] is None
    world.clock.advance(60.0)
    assert retire.act(world.ports, migration_id)["kept"] == "Docs"
    retire.act(world.ports, migration_id)
    (told,) = world.ledger.events(migration_id=migration_id, what="retired")
    *_, frozen, flipped = (routing.published_at for routing in world.ledger.routings("Docs"))
    kept_until = (flipped + timedelta(days=14)).isoformat()
    assert told.detail == {"write_hold_s": (flipped - frozen).total_seconds(), "kept_until": kept_until}
    assert report.gather(world.ports, "Docs")["write_hold_s"] == told.detail["write_hold_s"] < 60.0
    assert drop(world, migration_id, now=True)["dropped"] == "Docs"


def crash(*given):
    raise KeyboardInterrupt


def test_after_its_date_it_is_dropped_once_and_told_by_whom(world):
    migration_id = retired(world)
    with pytest.raises(NeedsPerson, match=r"kept until .* UTC.*drop-old Docs --now --why"):
        drop(world, migration_id)
    assert "Docs" in world.store.collections()
    world.clock.advance(14 * DAY_S)
    assert status.look(world.ports, "Docs")["next"] == "vecferry drop-old Docs"
    first = drop(world, migration_id)
    assert "Docs" not in world.store.collections()
    assert drop(world, migration_id, who="bob", why="again") == first
    dropped = status.look(world.ports, "Docs")["old_collection"]["dropped"]
    assert (dropped["who"], dropped["why"]) == ("tess", "nobody needs it")
    events = [e for e in world.ledger.events(migration_id=migration_id) if e.what == "old_dropped"]
    assert [(e.who, e.detail["stood"]) for e in events] == [("tess", True)]
    assert retire.act(world.ports, migration_id)["kept"] is None


def test_before_its_date_only_with_a_person_and_a_reason(world):
    migration_id = retired(world)
    for nobody in ({"who": ""}, {"why": ""}):
        with pytest.raises(BadInput, match="needs a person and a reason"):
            drop(world, migration_id, now=True, **nobody)
    assert drop(world, migration_id, now=True)["who"] == "tess"


def test_nothing_that_is_not_retired_is_dropped(world):
    migration_id = serving(world, 100)
    with pytest.raises(BadInput, match="nothing was retired: the migration is serving, Docs the authority"):
        drop(world, migration_id, now=True)
    world.ledger.move(world.ledger.migration(migration_id), Phase.ROLLED_BACK, who="t", why="t", routing=(Mode.DUAL, 0))
    discard.act(world.ports, migration_id, **BY)
    with pytest.raises(BadInput, match="nothing was retired: the migration is discarded"):
        drop(world, migration_id, now=True)
    assert "Docs" in world.store.collections()


def test_an_alias_or_a_pin_that_means_it_stops_the_deletion(world):
    migration_id = retired(world)
    world.store.set_alias("Search", "Docs")
    with pytest.raises(NeedsPerson, match="the alias Search points to Docs"):
        drop(world, migration_id, now=True)
    world.store.set_alias("Search", world.ledger.pin("Docs").collection)
    world.ledger.save_pin(replace(world.ledger.pin("Docs"), name="Again", collection="Docs"), who="t", why="t")
    with pytest.raises(NeedsPerson, match="the pin Again means Docs"):
        drop(world, migration_id, now=True)
    assert set(world.store.shards("Docs").values()) == {"READONLY"}, "retire closed it"
    world.store.set_read_only("Docs", False)
    retire.act(world.ports, migration_id)
    assert set(world.store.shards("Docs").values()) == {"READY"}, "what a pin means is not closed again"


def test_a_refused_deletion_closes_the_old_collection_again(world):
    """A restart of the server opened it."""
    world.router()  # alive, and never told of the flip: it refreshes only while somebody sleeps
    migration_id = serving(world, 100)
    retire.act(world.ports, migration_id)
    world.store.set_read_only("Docs", False)
    with pytest.raises(Retryable, match="1 routers may still write to Docs or read from it: router-"):
        drop(world, migration_id, now=True)
    assert set(world.store.shards("Docs").values()) == {"READONLY"}
    world.store.set_read_only("Docs", False)
    stage_runner.act("retire", world.ports, migration_id)
    assert set(world.store.shards("Docs").values()) == {"READONLY"}


def test_clearing_an_old_retire_does_not_move_the_alias_back(world):
    """A later migration has moved it on."""
    schema = world.store.schema("Docs") | {"class": "Docs_2"}
    world.store.create(schema)
    world.store.set_alias("Search", "Docs")
    world.ledger.save_pin(replace(world.ledger.pin("Docs"), alias="Search"), who="t", why="t")
    migration_id = retired(world)
    world.store.set_alias("Search", "Docs_2")
    world.ledger.save_pin(replace(world.ledger.pin("Docs"), collection="Docs_2"), who="t", why="t")
    shadow = world.ledger.migration(migration_id).spec.shadow
    world.store._collections[shadow].schema["vectorizer"] = "text2vec-openai"  # whose alias retire may move by itself
    world.store.set_alias("Late", "Docs")
    assert retire.act(world.ports, migration_id)["aliases"] == "Late stay: the pin has moved on"
    assert world.store.aliases() == {"Search": "Docs_2", "Late": "Docs"}


def test_a_reference_that_names_it_stops_the_deletion_until_a_person_says_otherwise(world):
    """Used or not: whoever asks for such a property is refused once the collection is gone."""
    migration_id = retired(world)
    about = {"name": "about", "dataType": ["Docs"]}
    world.store.create({"class": "Notes", "vectorizer": "none", "properties": [{"name": "t", "dataType": ["text"]}, about]})
    with pytest.raises(NeedsPerson, match=r"Notes\.about \(0 objects.*name Docs.*--leave-references --why"):
        drop(world, migration_id, now=True)
    assert "Docs" in world.store.collections()
    drop(world, migration_id, now=True, leave_references=True)
    assert "Docs" not in world.store.collections()
    (event,) = [e for e in world.ledger.events(migration_id=migration_id) if e.what == "old_dropped"]
    assert event.detail["references"] == ["Notes.about (0 objects, none could be sampled)"]


def test_a_collection_that_names_no_old_one_stops_no_deletion(world):
    migration_id = retired(world)
    about = {"name": "about", "dataType": [world.ledger.migration(migration_id).spec.shadow]}
    world.store.create({"class": "Notes", "vectorizer": "none", "properties": [about]})
    assert drop(world, migration_id, now=True)["dropped"] == "Docs"


def test_the_command_says_what_it_did_and_what_stops_it():
    world = cli_world.World().started().proven_up_to(Phase.VERIFIED)
    assert "no migration was retired" in world.run("drop-old", "Docs").err
    world.ledger.move(world.migration, Phase.VALIDATED, who="t", why="t")
    world.ledger.move(world.migration, Phase.SERVING, who="t", why="t", routing=(Mode.DUAL, 100))
    stage_runner.act("retire", world.ports, world.migration.id)
    said = world.run("drop-old", "Docs")
    assert (said.code, "Docs is kept until" in said.err) == (1, True)
    assert world.run("drop-old", "Docs", "--now").code == 2
    assert "while references name it needs a reason" in world.run("drop-old", "Docs", "--leave-references").err
    assert "Docs, kept read-only until" in world.run("status", "Docs").out
    done = world.done("drop-old", "Docs", "--now", "--why", "the disk is full")
    assert (done["dropped"], done["who"], done["why"]) == ("Docs", "tester", "the disk is full")
    assert "Docs is dropped" in world.run("drop-old", "Docs").out
    assert "dropped" in world.run("report", "Docs").out


def test_the_plan_on_the_command_line_says_how_long_it_is_kept():
    world = cli_world.World().pinned()
    world.done("plan", "Docs", "--to", "sandbox-char-2", "--keep-days", "3", "--start")
    assert world.migration.options["keep_days"] == 3
