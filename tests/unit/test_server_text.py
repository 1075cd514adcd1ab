"""The text that the server's own vectorizer embeds, from the schema: order, names, skipped properties, case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vecferry.adapters.ledger import codec
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.server_text import ServerText, camel_case_parts, server_rules

OPENAI = "text2vec-openai"


def prop(name, kind="text", **config):
    return {"name": name, "dataType": [kind], **({"moduleConfig": {OPENAI: config}} if config else {})}


def legacy(*properties, **settings):
    return {"class": "NewsArticle", "vectorizer": OPENAI, "moduleConfig": {OPENAI: settings}, "properties": list(properties)}


def named(*properties, **settings):
    vectors = {"text": {"vectorizer": {OPENAI: settings}}, "own": {"vectorizer": {"none": {}}}}
    return {"class": "NewsArticle", "vectorConfig": vectors, "properties": list(properties)}


def text(schema, values, vector_name=""):
    names, server = server_rules(schema, vector_name)
    return TextRecipe(names, server=server).text_of(values)


VALUES = {"title": "A Title", "body": "The  Body\n", "tags": ["One", "", "Two"], "views": 7, "secret": "No"}
PROPERTIES = (prop("title"), prop("body"), prop("tags", "text[]"), prop("views", "int"), prop("secret", skip=True))


def test_the_properties_come_by_name_after_the_collections_and_values_are_not_trimmed():
    assert text(legacy(*PROPERTIES), VALUES) == "News Article The  Body\n One  Two A Title"


def test_a_named_vector_has_its_rules_in_its_own_part():
    schema = named(*PROPERTIES, vectorizeClassName=False)
    assert text(schema, VALUES, "text") == "The  Body\n One  Two A Title"
    assert server_rules(schema, "own") is None


def test_source_properties_choose_by_name_and_not_by_order():
    schema = named(*PROPERTIES, vectorizeClassName=False, properties=["title", "body"])
    assert text(schema, VALUES, "text") == "The  Body\n A Title"


def test_a_propertys_name_stands_before_each_of_its_values():
    schema = legacy(prop("tagNames", "text[]", vectorizePropertyName=True), vectorizeClassName=False)
    assert text(schema, {"tagNames": ["a", "b"]}) == "tag Names a tag Names b"


def test_lower_case_is_of_names_and_values():
    names, server = server_rules(legacy(prop("title")), "")
    recipe = TextRecipe(names, server=replace(server, lower=True))
    assert recipe.text_of({"title": "ΣΑΣ İX"}) == "news article σασ ix"


def test_an_object_without_any_text_is_embedded_by_the_collections_name():
    schema = legacy(prop("title"), vectorizeClassName=False)
    assert text(schema, {"views": 1}) == "News Article"
    assert text(named(prop("title"), vectorizeClassName=False, properties=["title"]), {}, "text") is None


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Docs", ["Docs"]),
        ("PDFLoader", ["PDF", "Loader"]),
        ("NewsArticleV2", ["News", "Article", "V", "2"]),
        ("snake_case", ["snake", "_", "case"]),
        ("lowercase", ["lowercase"]),
        ("BöseÜberraschung", ["Böse", "Überraschung"]),
        ("", []),
    ],
)
def test_names_are_split_as_the_server_splits_them(name, parts):
    assert camel_case_parts(name) == parts


@pytest.mark.parametrize(
    ("schema", "vector", "says"),
    [
        ({**legacy(prop("title")), "vectorizer": "text2vec-acme"}, "", "text2vec-acme are not known"),
        (named(prop("views", "int"), properties=["views"]), "text", "views are not text"),
    ],
)
def test_rules_that_are_not_known_are_said_and_not_guessed(schema, vector, says):
    with pytest.raises(ValueError, match=says):
        server_rules(schema, vector)


def test_a_recipe_of_the_servers_survives_the_ledger_and_one_of_an_earlier_release_is_read():
    recipe = TextRecipe(("a", "b"), server=ServerText("Docs", labelled=("a",)))
    assert codec.restored(TextRecipe, codec.plain(recipe)) == recipe
    assert codec.restored(TextRecipe, {"properties": ["a"], "separator": " "}) == TextRecipe(("a",), " ")
