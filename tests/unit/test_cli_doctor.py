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
    assert findings["vectors"]["what"].startswith("30 of 90 drawn evenly are below cosine 0.999 (33.3%)")


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
    assert findings["lengths"]["what"] == "16 (60)"
    assert findings["index"]["what"] == "finds all 60 vectors"
    assert findings["model"]["what"].startswith("no pin says which: nothing was embedded again")
    said = world.run("doctor", "--collection", "Nope")
    assert said.code == 2
    assert "Collections that exist: Docs" in said.err


def test_a_reference_that_no_shadow_can_keep_is_named(world):
    properties = [{"name": "parent", "dataType": ["Refs"]}, {"name": "text", "dataType": ["text"]}]
    world.store.create({"class": "Refs", "properties": properties, "vectorizer": "none", "vectorIndexType": "hnsw"})
    findings = found(world, "--collection", "Refs", code=1)
    assert "parent" in findings["schema"]["what"]


def test_one_of_pin_and_collection(world):
    assert world.run("doctor").code == 2
    assert world.run("doctor", "Docs", "--collection", "Docs").code == 2


def with_vector(world, number, vector, **changes):
    """The object as it is, but with somebody else's vector."""
    odd = document(number)
    odd = replace(odd, vectors={UNNAMED: vector} if vector else {}, properties={**odd.properties, **changes})
    world.store.put("Docs", odd, timeout_s=1)
    return odd.uuid


def test_one_percent_of_another_model_is_found_and_named():
    world = World(1_000).pinned()
    odd = {with_vector(world, n, vector_of(NEW.space, str(document(n).properties["body"]))) for n in range(7, 1_000, 100)}
    said = found(world, "Docs", code=1)["vectors"]
    assert said["result"] == "problem"
    assert set(said["examples"]) <= odd
    assert said["examples"]
    assert said["examples"][0] in said["next_action"]
    everything = found(world, "Docs", "--sample", "all", code=1)["vectors"]
    assert set(everything["examples"]) == odd
    assert everything["what"] == "10 of 1,000 drawn evenly are below cosine 0.999 (1.0%)"


def test_the_furthest_off_are_embedded_again_though_the_sample_misses_them():
    world = World(1_000).pinned()
    opposite = [-x for x in document(7).vectors[UNNAMED]]
    odd = with_vector(world, 7, opposite)
    said = found(world, "Docs", "--sample", "1", code=1)["vectors"]
    assert said["examples"] == [odd]
    assert "that point furthest off the others" in said["what"]


@pytest.mark.parametrize(
    ("vector", "changes", "look", "says"),
    [
        ((), {}, "texts", "1 have text and no vector"),
        ((0.0,) * 16, {}, "lengths", "1 vectors are all zero"),
        (document(4).vectors[UNNAMED], {}, "duplicates", "2 objects share their vector with another text's"),
    ],
    ids=["missing", "zero", "duplicate"],
)
def test_a_bad_vector_is_found_and_named(world, vector, changes, look, says):
    odd = with_vector(world, 3, vector, **changes)
    finding = found(world, "Docs", code=1)[look]
    assert says in finding["what"]
    assert finding["result"] == "problem"
    assert odd in finding["examples"]


@pytest.mark.parametrize(
    ("vector", "says"),
    [((float("nan"),) * 16, "1 vectors hold NaN or infinity"), ((1.0,) * 8, "vectors of several lengths: 8 (1), 16 (59)")],
    ids=["nan", "short"],
)
def test_vectors_that_a_server_takes_only_by_mistake_are_found(world, monkeypatch, vector, says):
    """With asynchronous indexing a server stores the wrong length; here the store only says that it did."""
    page = world.store.page

    def mistaken(*args, **named):
        found, key = page(*args, **named), document(3).uuid
        odd = {key: replace(found.objects[key], vectors={UNNAMED: vector})} if key in found.objects else {}
        return replace(found, objects=found.objects | odd)

    monkeypatch.setattr(world.store, "page", mistaken)
    assert says in found(world, "Docs", code=1)["lengths"]["what"]


def test_objects_without_text_are_counted_and_no_fault(world):
    with_vector(world, 3, (), title="", body="")
    finding = found(world, "Docs", code=0)["texts"]
    assert "1 of 60 have no text" in finding["what"]


def test_what_no_search_finds_is_a_problem(world):
    world.store.unindex("Docs", document(5).uuid)
    finding = found(world, "Docs", code=1)["index"]
    assert finding["examples"] == [document(5).uuid]


def test_a_vectorizer_that_was_changed_in_place(world):
    config = {"text2vec-openai": {"model": "text-embedding-3-large"}}
    world.store.create(
        {"class": "Served", "vectorizer": "text2vec-openai", "moduleConfig": config, "vectorIndexType": "hnsw"}
        | {"properties": [{"name": "body", "dataType": ["text"]}]}
    )
    pin = world.ledger.pin("Docs")
    world.ledger.save_pin(replace(pin, name="Served", collection="Served"), who="tester", why="test")
    finding = found(world, "Served", code=1)["vectorizer"]
    assert finding["what"] == "the server vectorizes with text-embedding-3-large, the pin says sandbox-word-1"


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [(["never"], 0), (["problem"], 1), (["index"], 1), (["texts"], 0), (["texts", "index"], 1), (["nothing"], 2)],
)
def test_what_fails_is_the_callers_choice(world, fail_on, code):
    world.store.unindex("Docs", document(5).uuid)
    assert world.run("doctor", "Docs", *(part for what in fail_on for part in ("--fail-on", what))).code == code


def test_unknown_fails_only_where_it_is_asked_for(world):
    def down(method, texts):
        raise Retryable("the provider is down", next_action="Try again later.")

    world.embedders["sandbox-word-1"].before = down
    assert world.run("doctor", "Docs", "--fail-on", "problem").code == 0
    assert world.run("doctor", "Docs", "--fail-on", "unknown").code == 1


def test_a_sample_is_a_number_or_all(world):
    said = world.run("doctor", "Docs", "--sample", "some")
    assert said.code == 2
    assert "from 1 on, or all" in said.err


def test_the_shadows_vectors_are_another_commands_and_doctor_says_so():
    world = World().started().stepped("create_shadow")
    assert found(world, "Docs", code=0)["shadow"]["what"].endswith("its vectors are compared by vecferry verify Docs")
