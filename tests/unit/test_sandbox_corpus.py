"""The sandbox's corpus: what a document is, that nothing leaks, and that others' files are refused with a place."""

import json

import pytest

from vecferry.errors import BadInput
from vecferry.sandbox.corpus import build, load_corpus, load_golden, split, texts_of

SMALL = ("httpx", "fastapi", "pydantic")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("corpus"), documents=200, queries=60, seed=1, packages=SMALL)


def test_every_query_asks_for_one_document_that_is_there(built):
    documents = {record["uuid"]: record["properties"] for record in load_corpus(built.corpus)}
    golden = load_golden(built.golden)
    assert (len(documents), len(golden)) == (built.documents, built.queries) == (200, 60)
    for line in golden:
        (target,) = line["relevant"]
        assert documents[target]["package"] == line["cohort"]
        assert 25 <= len(line["query"]) <= 200


def test_no_document_holds_the_query_that_asks_for_it(built):
    documents = {record["uuid"]: record["properties"] for record in load_corpus(built.corpus)}
    for line in load_golden(built.golden):
        (target,) = line["relevant"]
        body = " ".join(documents[target]["body"].split()).casefold()
        assert line["query"].casefold() not in body


def test_bodies_are_long_enough_and_no_two_are_equal(built):
    bodies = texts_of(load_corpus(built.corpus))
    assert min(map(len, bodies)) >= 150
    assert len(set(bodies)) == len(bodies)


def test_no_two_queries_are_equal(built):
    queries = [line["query"].casefold() for line in load_golden(built.golden)]
    assert len(set(queries)) == len(queries)


def test_equal_packages_and_seed_give_equal_bytes(built, tmp_path):
    again = build(tmp_path, documents=200, queries=60, seed=1, packages=SMALL)
    assert again.corpus.read_bytes() == built.corpus.read_bytes()
    assert again.golden.read_bytes() == built.golden.read_bytes()


def test_another_seed_gives_another_corpus(built, tmp_path):
    other = build(tmp_path, documents=200, queries=60, seed=2, packages=SMALL)
    assert other.key != built.key
    assert other.golden.read_bytes() != built.golden.read_bytes()


def test_a_current_corpus_is_not_written_again_and_an_incomplete_one_is(tmp_path):
    first = build(tmp_path, documents=20, queries=5, seed=1, packages=("httpx",))
    written_ns = first.corpus.stat().st_mtime_ns
    assert build(tmp_path, documents=20, queries=5, seed=1, packages=("httpx",)) == first
    assert first.corpus.stat().st_mtime_ns == written_ns
    first.golden.unlink()
    assert build(tmp_path, documents=20, queries=5, seed=1, packages=("httpx",)) == first
    assert len(load_golden(first.golden)) == 5


def test_packages_that_are_not_installed_are_named_when_nothing_is_left(tmp_path):
    with pytest.raises(BadInput, match="no_such_package"):
        build(tmp_path, packages=("no_such_package",))


def test_the_summary_is_cut_out_wherever_it_stands_and_however_it_is_wrapped():
    rest = "word " * 40
    summary, body = split(
        f"Merge two frames by\n    their keys.\n\n    {rest}\n    merge two\n    Frames by their keys. {rest}"
    )
    assert summary == "Merge two frames by their keys."
    assert "by their keys" not in " ".join(body.split())
    assert body.count("word") == 80


@pytest.mark.parametrize("docstring", ["Short.\n\n" + "word " * 40, "A summary of the right length here.\n\nShort."])
def test_docstrings_of_the_wrong_length_are_left_out(docstring):
    assert split(docstring) is None


UUID = "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "not JSON"),
        ("[1]", "a JSON list, not an object"),
        ('{"properties": {"body": "x"}}', 'there is no "uuid"'),
        ('{"uuid": "7", "properties": {"body": "x"}}', "not a UUID"),
        ('{"uuid": 7, "properties": {"body": "x"}}', "not a UUID"),
        (f'{{"uuid": "{UUID[:-1]}2"}}', '"properties" is missing'),
        (f'{{"uuid": "{UUID}", "properties": {{"body": "x"}}}}', "already on line 1"),
    ],
)
def test_a_bad_corpus_line_is_named_by_file_line_and_what_is_wrong(tmp_path, line, what):
    path = tmp_path / "docs.jsonl"
    path.write_text(json.dumps({"uuid": UUID, "properties": {"body": "x"}}) + "\n\n" + line + "\n")
    with pytest.raises(BadInput, match=what) as caught:
        load_corpus(path)
    assert caught.value.where == f"{path}:3"
    assert caught.value.next_action


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"relevant": {"u": 1}}', '"query" is missing'),
        ('{"query": " ", "relevant": {"u": 1}}', "empty"),
        ('{"query": "q", "relevant": ["u"]}', '"relevant"'),
    ],
)
def test_a_bad_golden_line_is_named_by_file_line_and_what_is_wrong(tmp_path, line, what):
    path = tmp_path / "golden.jsonl"
    path.write_text(line)
    with pytest.raises(BadInput, match=what) as caught:
        load_golden(path)
    assert caught.value.where == f"{path}:1"


@pytest.mark.parametrize("load", [load_corpus, load_golden])
def test_files_that_are_missing_empty_or_not_text_are_refused(tmp_path, load):
    with pytest.raises(BadInput, match="cannot be read"):
        load(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(BadInput, match="is empty"):
        load(tmp_path / "empty.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"query": "\xe9"}')
    with pytest.raises(BadInput, match="not UTF-8"):
        load(tmp_path / "latin.jsonl")


def test_a_text_is_the_recipes_properties_or_every_string():
    records = [
        {"properties": {"title": "T", "body": "B", "n": 3}},
        {"properties": {"name": "N", "note": "M", "n": 3}},
    ]
    assert texts_of(records) == ["B", "N\nM"]
    assert texts_of(records, ("title", "body")) == ["T\nB", "N\nM"]
