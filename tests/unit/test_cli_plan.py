import json

import pytest

from tests.support.cli_world import World, golden_lines


def test_a_plan_writes_nothing():
    world = World().pinned()
    before = len(world.ledger.events())
    plan = world.done("plan", "Docs", "--to", "sandbox-char-2", "--budget-usd", "5", "--deadline", "2027-03-31")
    assert (plan["started"], plan["objects"], plan["tokens_by"]) == (False, 60, "words")
    assert plan["meets_deadline"] is True
    assert world.ledger.migrations() == []
    assert len(world.ledger.events()) == before


def test_start_begins_it_and_is_the_same_when_run_again():
    world = World().pinned()
    args = ["plan", "Docs", "--to", "sandbox-char-2", "--budget-usd", "5", "--percents", "5,100", "--start"]
    first, second = world.done(*args), world.done(*args)
    assert first["migration_id"] == second["migration_id"]
    options = world.migration.options
    assert (options["budget_usd"], options["percents"], options["who"]) == (5.0, [5, 100], "tester")


def test_the_table_says_how_it_was_counted_and_what_the_price_is_worth():
    out = World().pinned().run("plan", "Docs", "--to", "sandbox-char-2").out
    for figure in ("counted by words", "price without a date", "a month", "golden set", "Nothing was written"):
        assert figure in out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--to", "nope"], "VECFERRY_MODELS"),
        (["--to", "sandbox-word-1"], "is in sandbox/sandbox-word-1@16 already"),
        (["--to", "sandbox-char-2", "--percents", "10,100"], "percents must be among"),
        (["--to", "sandbox-char-2", "--percents", "many"], "Write 5,25,100"),
        (["--to", "sandbox-char-2", "--budget-usd", "0"], "budget_usd must be above 0"),
        (["--to", "sandbox-char-2", "--deadline", "soon"], "does not match the format"),
        (["--to", "sandbox-char-2", "--too-long", "shorten"], "truncate, skip or fail"),
        (["--to", "sandbox-char-2", "--aliases", "drop"], "auto, move or leave"),
        (["--to", "sandbox-char-2", "--tenants", " , "], "no tenant is named"),
        (["--to", "sandbox-char-2", "--tenants", "acme, globex"], "there is no tenant 'acme', 'globex'"),
        (["--to", "sandbox-char-2", "--tenants", "acme,acme"], "tenants named twice: 'acme'"),
        (["--to", "sandbox-char-2", "--shadow-vectorizer", "both"], "plain or keep"),
        (["--to", "sandbox-char-2", "--shadow-vectorizer", "keep"], "no server-side vectorizer to keep"),
    ],
)
def test_bad_input_says_what_is_right(args, says):
    said = World().pinned().run("plan", "Docs", *args)
    assert said.code == 2
    assert says in said.err


def test_an_empty_collection_is_refused_with_the_reason():
    world = World(objects=0)
    world.done("pin", "Docs", "--model", "sandbox-word-1", "--properties", "title")
    said = world.run("plan", "Docs", "--to", "sandbox-char-2")
    assert said.code == 2
    assert "the collection is empty" in said.err


def _with_golden(tmp_path, queries: int, ungraded: int = 0) -> World:
    file = tmp_path / "golden.jsonl"
    nothing = [json.dumps({"query_id": f"u{n}", "query": "?", "relevant": {}}) for n in range(ungraded)]
    file.write_text("\n".join([golden_lines(queries), *nothing]), encoding="utf-8")
    world = World().pinned()
    world.done("golden", "import", str(file), "--pin", "Docs")
    return world


def test_a_margin_that_the_golden_set_cannot_show_is_a_warning_with_the_missing_queries(tmp_path):
    world = _with_golden(tmp_path, 20)
    asked = ["plan", "Docs", "--to", "sandbox-char-2", "--margin", "0.05"]
    plan = world.done(*asked)
    assert (plan["margin"], plan["golden_queries"], plan["golden_queries_missing"]) == (0.05, 20, 96 - 20)
    assert "76 more are needed" in plan["warnings"][0]
    assert "warning: the golden set's 20 graded queries are too few to show a margin of 0.05" in world.run(*asked).out
    assert world.done(*asked, "--start")["warnings"] == world.migration.plan["warnings"] == plan["warnings"]


def test_enough_queries_for_the_gates_own_margin_are_no_warning(tmp_path):
    world = _with_golden(tmp_path, 20)
    plan = world.done("plan", "Docs", "--to", "sandbox-char-2")
    assert (plan["margin"], plan["golden_queries_missing"], plan["warnings"]) == (0.15, 0, [])
    assert "warning" not in world.run("plan", "Docs", "--to", "sandbox-char-2").out


def test_queries_that_can_judge_nothing_do_not_count(tmp_path):
    plan = _with_golden(tmp_path, 6, ungraded=30).done("plan", "Docs", "--to", "sandbox-char-2")
    assert (plan["golden_queries"], plan["golden_queries_missing"]) == (6, 11 - 6)


def test_without_a_golden_set_all_are_missing():
    plan = World().pinned().done("plan", "Docs", "--to", "sandbox-char-2")
    assert (plan["golden_queries"], plan["golden_queries_missing"]) == (0, 11)
    assert "no graded golden query" in plan["warnings"][0]


def test_an_application_that_inserts_between_count_and_sample_stops_no_plan(monkeypatch):
    from vecferry.steps import plan as step

    world = World().pinned()
    count_all = step.count_all
    monkeypatch.setattr(step, "count_all", lambda store, collection: count_all(store, collection) - 2)
    assert world.done("plan", "Docs", "--to", "sandbox-char-2")["objects"] == 60
