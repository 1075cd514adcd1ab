from dataclasses import fields

import pytest

from vecferry.adapters.catalogue import Entry, load_catalogue
from vecferry.domain.catalogue import ModelCard
from vecferry.errors import BadInput, NotFound

GOOD = """
[[model]]
provider = "acme"
model = "bge-m3"
api = "openai"
dimensions = 1024
base_url = "http://127.0.0.1:8000/v1"
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "models.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_packaged_catalogue_loads_and_knows_the_common_models():
    catalogue = load_catalogue()
    assert catalogue.card("text-embedding-3-small").space.id == "openai/text-embedding-3-small@1536"
    assert catalogue.card("cohere/embed-v4.0").query_task == "search_query"


def test_an_entry_has_exactly_the_fields_and_defaults_of_a_card():
    required = {"provider": "p", "model": "m", "api": "openai", "dimensions": 8}
    assert set(Entry.model_fields) == {field.name for field in fields(ModelCard)}
    assert ModelCard(**Entry(**required).model_dump()) == ModelCard(**required)


def test_an_own_model_is_added(written):
    catalogue = load_catalogue(written(GOOD))
    assert catalogue.card("bge-m3").dimensions == 1024
    assert catalogue.card("text-embedding-3-small").dimensions == 1536


def test_an_own_entry_replaces_the_packaged_one_as_a_whole(written):
    text = '[[model]]\nprovider = "openai"\nmodel = "text-embedding-3-small"\napi = "openai"\ndimensions = 512\n'
    card = load_catalogue(written(text)).card("text-embedding-3-small")
    assert (card.dimensions, card.tokens_per_minute) == (512, None)


def test_one_model_in_two_lengths_is_two_entries(written):
    catalogue = load_catalogue(written(GOOD + GOOD.replace("1024", "512")))
    assert catalogue.card("acme/bge-m3@512").dimensions == 512
    with pytest.raises(BadInput, match="is ambiguous"):
        catalogue.card("bge-m3")


def test_a_wrong_value_names_file_entry_field_and_what_is_right(written):
    path = written(GOOD + GOOD.replace("1024", "0").replace("m3", "m4"))
    with pytest.raises(BadInput) as caught:
        load_catalogue(path)
    assert str(caught.value) == (
        f"{path}, [[model]] number 2 (acme/bge-m4): dimensions = 0: input should be greater than or equal to 1. "
        "Correct the entry; provider, model, api and dimensions are required."
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("dimension = 3", "dimension: there is no such field; did you mean dimensions?"),
        ('distance = "manhattan"', "distance = 'manhattan': input should be 'cosine', 'dot' or 'l2-squared'"),
        ("usd_per_million_tokens = -1", "usd_per_million_tokens = -1: input should be greater than or equal to 0"),
        ('shutdown_on = "next year"', "shutdown_on = 'next year': "),
        ("requests_per_minute = 0", "requests_per_minute = 0: input should be greater than or equal to 1"),
    ],
)
def test_each_wrong_field_is_explained(written, line, said):
    with pytest.raises(BadInput) as caught:
        load_catalogue(written(GOOD + line))
    assert said in caught.value.what


def test_missing_fields_are_all_listed_at_once(written):
    with pytest.raises(BadInput) as caught:
        load_catalogue(written('[[model]]\nmodel = "x"\n'))
    assert caught.value.what == "provider: is missing; api: is missing; dimensions: is missing"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[model]\n", "this is not TOML"),
        ('[model]\nprovider = "x"\n', "only [[model]] entries belong here, not a single [model]"),
        ("[[models]]\n", "only [[model]] entries belong here, not models"),
        (GOOD + GOOD, "acme/bge-m3@1024 is there twice"),
    ],
)
def test_a_file_of_another_form_is_refused(written, text, said):
    with pytest.raises(BadInput) as caught:
        load_catalogue(written(text))
    assert said in caught.value.what
    assert caught.value.where.endswith("models.toml")


def test_a_missing_file_names_the_setting(tmp_path):
    with pytest.raises(BadInput) as caught:
        load_catalogue(tmp_path / "gone.toml")
    assert caught.value.what == "the catalogue file cannot be read: No such file or directory"
    assert "VECFERRY_MODELS" in caught.value.next_action


def test_an_unknown_model_says_how_to_add_it():
    with pytest.raises(NotFound, match=r"To add it, put a \[\[model\]\] entry"):
        load_catalogue().card("text-embedding-4")
