import pytest

from tests.support.cli_world import World


def test_a_pin_is_verified_against_the_stored_vectors():
    done = World().done("pin", "Docs", "--collection", "Docs", "--model", "sandbox-word-1", "--properties", "title,body")
    assert (done["objects"], done["space"]) == (60, "sandbox/sandbox-word-1@16")
    assert done["worst_cosine"] > 0.999


def test_the_wrong_model_is_refused_with_the_cosine_unless_unverified():
    world = World()
    wrong = ["pin", "Docs", "--model", "sandbox-char-2", "--properties", "title,body"]
    said = world.run(*wrong)
    assert said.code == 2
    assert "cosine" in said.err
    assert "--unverified" in said.err
    assert world.ledger.pins() == []
    world.done(*wrong, "--unverified")
    assert [pin.name for pin in world.ledger.pins()] == ["Docs"]


def test_without_a_name_all_are_listed_and_with_a_name_alone_it_is_shown():
    world = World().pinned()
    assert [row["pin"] for row in world.done("pin")] == ["Docs"]
    assert world.done("pin", "Docs")["properties"] == ["title", "body"]
    assert "Docs" in world.run("pin").out


def test_what_is_not_given_stays_as_it_was_pinned():
    world = World().pinned()
    world.done("pin", "Docs", "--alpha", "0.4", "--query-properties", "title^2, body")
    pin = world.ledger.pin("Docs")
    assert (pin.profile.kind, pin.profile.alpha, pin.profile.query_properties) == ("hybrid", 0.4, ("title^2", "body"))
    assert pin.recipe.properties == ("title", "body")
    world.done("pin", "Docs", "--vector")
    assert world.ledger.pin("Docs").profile.kind == "vector"


NAMED = {"properties": [{"name": "text", "dataType": ["text"]}]}
NONE = {"vectorizer": {"none": {}}, "vectorIndexType": "hnsw", "vectorIndexConfig": {"distance": "cosine"}}


def test_a_collections_only_vector_need_not_be_named():
    world = World()
    world.store.create(NAMED | {"class": "Notes", "vectorConfig": {"default": NONE}})
    done = world.done("pin", "Notes", "--model", "sandbox-word-1", "--properties", "text")
    assert done["vector"] == world.ledger.pin("Notes").vector_name == "default"


def test_one_of_several_vectors_has_to_be_named_and_is_never_guessed():
    world = World()
    world.store.create(NAMED | {"class": "Notes", "vectorConfig": {"a": NONE, "b": NONE}})
    given = ["pin", "Notes", "--model", "sandbox-word-1", "--properties", "text"]
    said = world.run(*given)
    assert said.code == 2
    assert "Give one as --vector-name. It has: a, b." in " ".join(said.err.split())
    assert world.done(*given, "--vector-name", "b")["vector"] == "b"


def test_a_legacy_vector_beside_a_named_one_is_the_one_without_a_name():
    world = World()
    mixed = {"vectorizer": "none", "vectorIndexType": "hnsw", "vectorIndexConfig": {"distance": "cosine"}}
    world.store.create(NAMED | mixed | {"class": "Notes", "vectorConfig": {"other": NONE}})
    assert world.done("pin", "Notes", "--model", "sandbox-word-1", "--properties", "text")["vector"] == ""


def test_a_separator_may_be_typed_with_its_escapes():
    world = World()
    given = ["pin", "Docs", "--model", "sandbox-word-1", "--properties", "title,body"]
    assert world.run(*given, "--separator", " | ").code == 2  # those are not the texts that were embedded
    world.done(*given, "--separator", r"\n")
    assert world.ledger.pin("Docs").recipe.separator == "\n"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--model", "sandbox-word-1"], "a new pin needs --properties"),
        (["--model", "nope", "--properties", "title"], "not in the catalogue"),
        (["--model", "sandbox-word-1", "--properties", "titel"], "It has: body, title, year"),
        (["--model", "sandbox-word-1", "--properties", "year"], "not text: year"),
        (["--model", "sandbox-word-1", "--properties", "title", "--collection", "Docz"], "Collections that exist: Docs"),
        (["--model", "sandbox-word-1", "--properties", "title", "--fusion", "best"], "ranked or relative_score"),
        (["--model", "sandbox-word-1", "--properties", "title", "--connection", "weaviate"], "weaviate=my_weaviate"),
    ],
)
def test_bad_input_says_what_is_right(args, says):
    said = World().run("pin", "Docs", *args)
    assert said.code == 2
    assert says in said.err
