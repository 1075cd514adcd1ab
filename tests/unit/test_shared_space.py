"""Models of one family: the plan says that nothing has to be embedded again, and the pin moves once a sample proves it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.memory_world import OLD, key_of, make_world, request, text_of
from vecferry.adapters.memory.embedder import MemoryEmbedders, vector_of
from vecferry.domain.catalogue import Catalogue
from vecferry.domain.objects import STAMP_MODEL, UNNAMED, StoredObject
from vecferry.domain.schema import stamp_properties
from vecferry.domain.shared_space import by_space, shared_space
from vecferry.errors import BadInput
from vecferry.steps import doctor, stage_runner
from vecferry.steps import pin as pin_step
from vecferry.steps import plan as plan_step

KIN = replace(OLD, family="kin")
FAST = replace(OLD, model="fast-model", family="kin")
STRANGER = replace(OLD, model="strange-model", family="kin")
"""The catalogue says that it is of the family; its vectors say that it is not."""


def near(vector, by=0.2):
    """As a smaller model of the family would see it: the same direction, and some noise of its own."""
    noise = np.random.default_rng(abs(hash(round(vector[0], 6)))).normal(size=len(vector)) / np.sqrt(len(vector))
    moved = np.asarray(vector) + by * noise
    return tuple(float(x) for x in moved / np.linalg.norm(moved))


@pytest.fixture
def world():
    made = make_world(40)
    made.embedders = MemoryEmbedders(KIN, FAST, STRANGER)
    fast = made.embedders["fast-model"]

    fast._answer = lambda text: near(vector_of(KIN.space, text))
    made.ports = replace(made.ports, embedders=made.embedders, catalogue=made.embedders.catalogue)
    for number in range(40):
        obj = made.live(number)
        made.store.put("Docs", replace(obj, vectors={UNNAMED: vector_of(KIN.space, obj.properties["body"])}), timeout_s=1)
    made.ledger.save_pin(replace(made.ledger.pin("Docs"), space=KIN.space), who="tess", why="of a family")
    return made


def test_the_plan_says_that_nothing_has_to_be_embedded_again(world):
    found = plan_step.look(world.ports, world.ledger.pin("Docs"), FAST, request(to_model="fast-model"))
    assert found["shared_space"] is True
    assert "share one space (family kin): nothing has to be embedded again" in found["warnings"][0]
    assert "vecferry pin Docs --model openai/fast-model" in found["warnings"][0]


def test_a_migration_inside_of_one_space_is_refused_with_the_shorter_road(world):
    with pytest.raises(BadInput, match=r"there is nothing to migrate.*vecferry pin Docs --model openai/fast-model"):
        stage_runner.act("plan", world.ports, request(to_model="fast-model"))
    assert world.ledger.migrations() == []


def test_the_pin_moves_once_a_sample_has_proven_it_and_no_object_is_written(world):
    before = {n: world.live(n) for n in range(40)}
    version = world.ledger.snapshot("Docs").routing.version
    moved = replace(world.ledger.pin("Docs"), space=FAST.space)
    pin_step.act(world.ports, moved, who="tess", why="the old one ends")
    assert world.ledger.pin("Docs").space == FAST.space
    assert world.ledger.snapshot("Docs").routing.version == version + 1
    assert {n: world.live(n) for n in range(40)} == before


def test_a_router_asks_the_new_model_from_its_next_refresh_on_and_acknowledges_it(world):
    router = world.router()
    asked = []
    world.embedders["fast-model"].before = lambda method, texts: asked.append(method)
    pin_step.act(world.ports, replace(world.ledger.pin("Docs"), space=FAST.space), who="tess", why="the old one ends")
    router.refresh()
    router.search(text_of(1), key="u1")
    assert "embed_query" in asked
    leases, _ = world.ledger.leases("Docs")
    assert [lease.acknowledged_version for lease in leases] == [world.ledger.snapshot("Docs").routing.version]
    world.stop(router)


def test_a_family_that_the_vectors_deny_moves_no_pin(world):
    with pytest.raises(BadInput, match=r"the catalogue says that .*strange-model.* and a sample does not: .*median cosine"):
        pin_step.act(world.ports, replace(world.ledger.pin("Docs"), space=STRANGER.space), who="tess", why="told so")
    assert world.ledger.pin("Docs").space == KIN.space


def test_too_few_objects_prove_nothing(world):
    for number in range(10, 40):
        world.store.delete("Docs", key_of(number), timeout_s=1)
    with pytest.raises(BadInput, match="10 objects have both text and vector, and a proof needs 20"):
        pin_step.act(world.ports, replace(world.ledger.pin("Docs"), space=FAST.space), who="tess", why="told so")


def test_vectors_of_one_space_find_themselves_and_others_do_not():
    draw = np.random.default_rng(5)
    stored = draw.normal(size=(60, 32))
    assert shared_space(stored.tolist(), (stored + 0.3 * draw.normal(size=stored.shape)).tolist()).proven
    assert not shared_space(stored.tolist(), draw.normal(size=stored.shape).tolist()).proven
    assert not shared_space(stored.tolist(), draw.normal(size=(60, 16)).tolist()).proven
    assert not shared_space(stored.tolist(), np.roll(stored, 1, axis=0).tolist()).proven


def test_a_common_direction_alone_is_no_shared_space():
    """Some models' vectors all point one way: then any two have a high cosine, and only who is nearest tells."""
    draw = np.random.default_rng(6)
    common = 10 * np.ones(32)
    found = shared_space((common + draw.normal(size=(60, 32))).tolist(), (common + draw.normal(size=(60, 32))).tolist())
    assert found.median_cosine > 0.9
    assert not found.proven


def test_stamps_of_one_family_are_one_space():
    catalogue = Catalogue((KIN, FAST, replace(OLD, model="other")))
    stamped = {KIN.space.id: 3, FAST.space.id: 2, "openai/other@64": 1, "acme/unknown@64": 4}
    assert sorted(by_space(stamped, catalogue).values()) == [1, 4, 5]


def test_the_doctor_knows_the_other_model_of_the_family(world):
    for definition in stamp_properties():
        world.store.add_property("Docs", definition)
    for number in range(40):
        obj = world.live(number)
        model = (KIN if number % 2 else FAST).space.id
        stamped = StoredObject(obj.uuid, {**obj.properties, STAMP_MODEL: model}, obj.vectors)
        world.store.put("Docs", stamped, timeout_s=1)
    pin_step.act(world.ports, replace(world.ledger.pin("Docs"), space=FAST.space), who="tess", why="the old one ends")
    said = {one.looked_at: one for one in doctor.look_over(world.ports, world.ledger.pin("Docs"))}
    assert (said["one space"].result, said["vectors"].result) == ("ok", "ok"), said["vectors"].what
    assert "of another model of family kin" in said["vectors"].what
