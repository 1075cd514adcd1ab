import json

import pytest

from tests.support.cli_world import World, golden_lines, key
from vecferry.domain.golden import query_of


@pytest.fixture
def world():
    return World().pinned()


def written(tmp_path, text, name="golden.jsonl"):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_file_is_stored_so_that_the_gates_can_read_it(world, tmp_path):
    done = world.done("golden", "import", written(tmp_path, golden_lines(12)), "--pin", "Docs")
    assert (done["queries"], done["graded"], done["missing_objects"]) == (12, 12, 0)
    assert [query_of(row, "ledger").query_id for row in world.ledger.golden("Docs")] == [f"q{n}" for n in range(12)]
    assert world.ledger.events(pin="Docs")[-1].who == "tester"


def test_objects_that_do_not_exist_are_named_and_nothing_is_stored(world, tmp_path):
    rows = [{"query_id": f"q{n}", "query": "x", "relevant": {key(n): 1, key(1000 + n): 1}} for n in range(7)]
    file = written(tmp_path, "\n".join(map(json.dumps, rows)))
    said = world.run("golden", "import", file, "--pin", "Docs")
    assert said.code == 2
    assert "7 objects named in the file do not exist" in said.err
    assert f"{key(1000)} (query q0)" in said.err
    assert "2 more" in said.err
    assert world.ledger.golden("Docs") == []
    assert world.done("golden", "import", file, "--pin", "Docs", "--allow-missing")["missing_objects"] == 7


def test_trec_topics_and_judgements(world, tmp_path):
    topics = written(tmp_path, "301\talpha item0\n302\tbravo item1\n303\tnothing\n", "topics.tsv")
    qrels = written(tmp_path, f"301 0 {key(0)} 1\n302 0 {key(1)} 2\n", "qrels.txt")
    done = world.done("golden", "import", topics, "--qrels", qrels, "--pin", "Docs")
    assert (done["queries"], done["graded"], done["ungraded"]) == (3, 2, ["303"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ["there are no queries in it", "golden.jsonl"]),
        ("{", ["not JSON", "golden.jsonl, line 1"]),
        ('{"query_id": "a", "query": "x", "relevant": {"abc": 1}}', ["'abc' is not a UUID", "line 1"]),
        (json.dumps({"query_id": "a", "query": "x", "relevant": {}, "tenant": "t1"}), ["tenant 't1'", "Leave tenant out"]),
    ],
)
def test_bad_files_are_refused_with_the_line(world, tmp_path, text, says):
    said = world.run("golden", "import", written(tmp_path, text), "--pin", "Docs")
    assert said.code == 2
    assert all(part in said.err for part in says)
    assert world.ledger.golden("Docs") == []


def test_a_file_that_is_not_there(world):
    said = world.run("golden", "import", "nowhere.jsonl", "--pin", "Docs")
    assert said.code == 2
    assert "nowhere.jsonl" in said.err
