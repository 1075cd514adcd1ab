"""At retire, aliases follow where that was asked for, or where their users send text."""

from __future__ import annotations

import pytest

from tests.support.carried import retired, serving
from tests.support.memory_world import make_world
from vecferry.domain.inbound import aliases_follow
from vecferry.errors import UnknownOutcome
from vecferry.steps import move_aliases, retire


@pytest.fixture
def world():
    made = make_world()
    made.store.create(made.store.schema("Docs") | {"class": "Others"})
    for alias, target in (("Search", "Docs"), ("Library", "Docs"), ("Else", "Others")):
        made.store.set_alias(alias, target)
    return made


def where_they_lead(world):
    return {alias: target for alias, target in world.store.aliases().items() if alias != "Else"}


def test_all_aliases_of_the_live_collection_follow_where_that_was_asked_for_and_no_other(world):
    world.store.set_alias("Late", "Docs")
    shadow = world.ledger.migration(retired(world, aliases="move")).spec.shadow
    assert world.store.aliases() == {"Search": shadow, "Library": shadow, "Late": shadow, "Else": "Others"}


@pytest.mark.parametrize("asked", ["auto", "leave"])
def test_aliases_whose_users_bring_their_own_vectors_stay_by_default(world, asked):
    migration_id = retired(world, aliases=asked)
    assert where_they_lead(world) == {"Search": "Docs", "Library": "Docs"}
    said = retire.act(world.ports, migration_id)["aliases"]
    assert said == "Library, Search stay: a person decides, since their users bring their own vectors"


@pytest.mark.parametrize(("asked", "follows"), [("auto", True), ("leave", False)])
def test_where_the_server_vectorizes_they_follow_unless_a_person_leaves_them(world, asked, follows):
    migration_id = serving(world, 100, aliases=asked)
    shadow = world.ledger.migration(migration_id).spec.shadow
    world.store._collections[shadow].schema["vectorizer"] = "text2vec-openai"
    retire.act(world.ports, migration_id)
    assert set(where_they_lead(world).values()) == {shadow if follows else "Docs"}


def test_none_moves_before_the_flip_and_a_freeze_that_is_undone_moves_none(world, monkeypatch):
    migration_id = serving(world, 100, aliases="move")
    monkeypatch.setattr(world.ledger, "flip", unknown)
    with pytest.raises(Exception, match="the freeze was undone"):
        retire.act(world.ports, migration_id)
    assert set(where_they_lead(world).values()) == {"Docs"}


def test_the_old_collection_is_closed_before_an_alias_leaves_it(world):
    """Else a write through the alias, begun before it moved, would land where nobody looks."""
    seen = []

    def look(name, collection, call):
        if name == "set_alias":
            seen.append(set(world.store.shards("Docs").values()))

    migration_id = serving(world, 100, aliases="move")
    world.store.before = look
    retire.act(world.ports, migration_id)
    assert seen == [{"READONLY"}] * 2


def test_an_interrupted_move_is_finished_by_the_next_run_and_told_once(world):
    migration_id = serving(world, 100, aliases="move")
    shadow = world.ledger.migration(migration_id).spec.shadow
    moved = []

    def second_fails(name, collection, call):
        if name == "set_alias":
            moved.append(collection)
            if len(moved) == 2:
                raise UnknownOutcome("no answer")

    world.store.before = second_fails
    with pytest.raises(UnknownOutcome):
        retire.act(world.ports, migration_id)
    assert where_they_lead(world) == {"Library": shadow, "Search": "Docs"}
    for _ in range(2):
        assert retire.act(world.ports, migration_id)["aliases"] == f"Library, Search lead to {shadow}"
    events = world.ledger.events(migration_id=migration_id, what=move_aliases.MOVED)
    assert [event.detail["aliases"] for event in events] == [["Library", "Search"]]


def unknown(*given, **named):
    raise UnknownOutcome("no answer")


@pytest.mark.parametrize(
    ("policy", "vectorizes", "follow"),
    [
        ("auto", False, False),
        ("auto", True, True),
        ("move", False, True),
        ("move", True, True),
        ("leave", False, False),
        ("leave", True, False),
    ],
)
def test_the_rule(policy, vectorizes, follow):
    assert aliases_follow(policy, server_vectorizes=vectorizes) is follow
