"""References of other collections, and aliases, that lead to the live collection by its name."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace

import pytest

from tests.support.memory_world import key_of, make_world, request
from vecferry.domain.inbound import points_to
from vecferry.domain.objects import StoredObject
from vecferry.errors import BadInput
from vecferry.steps import doctor, inbound_references, stage_runner
from vecferry.steps import plan as plan_step

NOTES = {
    "class": "Notes",
    "vectorizer": "none",
    "vectorIndexConfig": {"distance": "cosine"},
    "properties": [
        {"name": "text", "dataType": ["text"]},
        {"name": "about", "dataType": ["Docs"]},
        {"name": "after", "dataType": ["Notes"]},
    ],
}


def beacon(number, collection="Docs"):
    return {"beacon": f"weaviate://localhost/{collection}/{key_of(number)}"}


@pytest.fixture
def world():
    """Ten notes, of which four are about a document."""
    made = make_world(20)
    made.store.create(NOTES)
    for number in range(10):
        about = {"about": [beacon(number)]} if number < 4 else {}
        obj = StoredObject(str(uuid.UUID(int=number * 2**122)), {"text": f"note {number}", **about}, {})
        made.store.put("Notes", obj, timeout_s=1)
    return made


def test_the_plan_refuses_and_names_the_property_and_how_many_objects_use_it(world):
    with pytest.raises(BadInput, match=r"Notes\.about \(4 of 10 sampled objects use it, about 4 of 10\)") as refused:
        stage_runner.act("plan", world.ports, request())
    assert "--inbound-references leave" in str(refused.value)
    assert world.ledger.migrations() == []


def test_references_that_are_left_are_listed_and_warned_of(world):
    found = stage_runner.act("plan", world.ports, request(inbound_references="leave"))
    (row,) = found["inbound_references"]
    assert (row["collection"], row["name"], row["using"], row["estimate"]) == ("Notes", "about", 4, 4)
    assert any(
        "Notes.about" in warning and "once it is deleted, the server refuses queries" in warning
        for warning in found["warnings"]
    )


def test_references_of_a_collection_to_itself_or_to_others_are_not_inbound(world):
    assert [reference.name for reference in inbound_references.look(world.ports, "Docs").references] == ["about"]
    assert inbound_references.look(world.ports, "Notes").references == ()


def test_an_unused_reference_property_counts_too(world):
    """It may be used the moment after."""
    for number in range(4):
        obj = StoredObject(str(uuid.UUID(int=number * 2**122)), {"text": "no more"}, {})
        world.store.put("Notes", obj, timeout_s=1)
    with pytest.raises(BadInput, match=r"Notes\.about \(0 of 10 sampled objects use it"):
        stage_runner.act("plan", world.ports, request())


def test_a_collection_whose_tenant_sleeps_is_listed_without_a_sample(world):
    schema = {**NOTES, "class": "Rooms", "multiTenancyConfig": {"enabled": True}}
    world.store.create(schema)
    world.store.add_tenants("Rooms", {"a": "INACTIVE"})
    found = {reference.collection: reference for reference in inbound_references.look(world.ports, "Docs").references}
    assert found["Rooms"].sampled == found["Rooms"].estimate == 0


@pytest.mark.parametrize(
    ("asked", "follow", "says"),
    [
        ("auto", False, "stay on the old collection at retire: Library, Own; .*--aliases move"),
        ("leave", False, "stay on the old collection at retire: Library, Own; .*--aliases move"),
        ("move", True, "will lead to the new collection: Library, Own; .* must embed with cohere/new-model@64 by then"),
    ],
)
def test_the_plan_lists_all_aliases_and_says_what_becomes_of_their_users(world, asked, follow, says):
    world.store.drop("Notes")
    world.store.set_alias("Library", "Docs")
    world.store.set_alias("Own", "Docs")
    pin = replace(world.ledger.pin("Docs"), alias="Own")
    world.ledger.save_pin(pin, who="tess", why="its alias")
    found = plan_step.look(world.ports, pin, world.ports.catalogue.card("new-model"), request(aliases=asked))
    assert (found["aliases"], found["aliases_follow"]) == (["Library", "Own"], follow)
    (said,) = [warning for warning in found["warnings"] if "aliases" in warning]
    assert re.search(says, said)


def test_the_doctor_lists_both(world):
    world.store.set_alias("Library", "Docs")
    said = {one.looked_at: one for one in doctor.look_over(world.ports, world.ledger.pin("Docs"))}
    assert said["inbound references"].result == "problem"
    assert "Notes.about" in said["inbound references"].what
    assert said["aliases"].what == "Library lead to it"


@pytest.mark.parametrize(
    ("value", "points"),
    [
        ([{"beacon": "weaviate://localhost/Docs/36ddd591-2dee-4e7e-a3cc-eb86d30a4303"}], True),
        ([{"beacon": "weaviate://localhost/36ddd591-2dee-4e7e-a3cc-eb86d30a4303"}], True),
        ([{"beacon": "weaviate://localhost/Others/36ddd591-2dee-4e7e-a3cc-eb86d30a4303"}], False),
        ([], False),
        (None, False),
    ],
)
def test_a_beacon_points_to_the_collection_that_it_names(value, points):
    assert points_to(value, "Docs") is points
