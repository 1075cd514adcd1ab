from dataclasses import replace

import pytest

from tests.support.cli_world import NEW, World, document
from vecferry.adapters.memory.embedder import vector_of
from vecferry.domain.objects import UNNAMED
from vecferry.errors import Retryable


@pytest.fixture
def world():
    return World().pinned()


def found(world, *args, code):
    said = world.run("doctor", *args, "--json")
    assert said.code == code, said.out + said.err
    return {finding["looked_at"]: finding for finding in said.json["findings"]}


def test_a_healthy_collection(world):
    before = len(world.ledger.events())
    findings = found(world, "Docs", code=0)
    assert {finding["result"] for finding in findings.values()} == {"ok"}
    assert "cosine 1.0000" in findings["vectors"]["what"]
    assert len(world.ledger.events()) == before  # it looks, and that is all


def test_vectors_of_another_model_are_found(world):
    for number in range(60, 90):
        odd = document(number)
        world.store.put("Docs", replace(odd, vectors={UNNAMED: vector_of(NEW.space, "x")}), timeout_s=1)
    findings = found(world, "Docs", code=1)
    assert findings["vectors"]["result"] == "problem"
    assert "below 0.999" in findings["vectors"]["what"]


def test_what_cannot_be_looked_at_is_unknown_and_exits_3(world):
    def down(method, texts):
        raise Retryable("the provider is down", next_action="Try again later.")

    world.embedders["sandbox-word-1"].before = down
    findings = found(world, "Docs", code=3)
    assert findings["vectors"]["result"] == "unknown"
    assert "the provider is down" in findings["vectors"]["what"]
    assert findings["shards"]["result"] == "ok"


def test_read_only_shards_are_a_problem(world):
    world.store.set_read_only("Docs", True)
    assert found(world, "Docs", code=1)["shards"]["result"] == "problem"


def test_a_collection_without_a_pin(world):
    findings = found(world, "--collection", "Docs", code=0)
    assert "(unnamed): 16" in findings["lengths"]["what"]
    said = world.run("doctor", "--collection", "Nope")
    assert said.code == 2
    assert "Collections that exist: Docs" in said.err


def test_a_cross_reference_is_named(world):
    properties = [{"name": "wrote", "dataType": ["Author"]}, {"name": "text", "dataType": ["text"]}]
    world.store.create({"class": "Refs", "properties": properties, "vectorizer": "none", "vectorIndexType": "hnsw"})
    findings = found(world, "--collection", "Refs", code=1)
    assert "cross-reference" in findings["schema"]["what"]


def test_one_of_pin_and_collection(world):
    assert world.run("doctor").code == 2
    assert world.run("doctor", "Docs", "--collection", "Docs").code == 2
