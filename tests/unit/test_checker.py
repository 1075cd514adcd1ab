"""The checker finds each kind of defect: one that cannot fail would make every demo a success."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vecferry.sandbox import checker
from vecferry.sandbox.checker.contents import Defects, defects
from vecferry.sandbox.checker.expectation import replay
from vecferry.sandbox.checker.inspection import different
from vecferry.sandbox.checker.reading import read_lines
from vecferry.sandbox.checker.vectors import cosine, not_found_by_index, of_another_space, text_of

FOLDER = Path(checker.__file__).parent
CORPUS = [{"uuid": "a", "properties": {"body": "first", "views": 1}}]


def wrote(op: str, uuid: str, content: dict[str, Any] | None, outcome: str | None) -> list[dict[str, Any]]:
    wrote.number += 1  # type: ignore[attr-defined]
    name = f"w{wrote.number}"  # type: ignore[attr-defined]
    begun = {"id": name, "op": op, "uuid": uuid, "content": content, "invoked": 1.0}
    return [begun] + ([{"id": name, "answered": 2.0, "outcome": outcome}] if outcome else [])


wrote.number = 0  # type: ignore[attr-defined]


def found(history: list[dict[str, Any]], stored: dict[str, dict[str, Any]]) -> Defects:
    return defects(replay(CORPUS, history), stored)


A = {"a": {"body": "first", "views": 1}}


def test_what_was_never_touched_must_be_as_it_was() -> None:
    assert found([], A) == Defects()
    assert found([], {}).lost == ["a"]
    assert found([], {"a": {"body": "first", "views": 2}}).lost == ["a"]


def test_an_acknowledged_write_that_is_absent_or_wrong_is_lost() -> None:
    history = wrote("put", "b", {"body": "new"}, "ok")
    assert found(history, A | {"b": {"body": "new"}}) == Defects()
    assert found(history, A).lost == ["b"]
    assert found(history, A | {"b": {"body": "other"}}).lost == ["b"]


def test_an_older_state_of_an_object_is_stale() -> None:
    history = wrote("put", "a", {"body": "second"}, "ok") + wrote("update", "a", {"views": 3}, "ok")
    assert found(history, {"a": {"body": "second", "views": 3}}) == Defects()
    assert found(history, {"a": {"body": "second"}}).stale == ["a"]
    assert found(history, A).stale == ["a"]


def test_an_acknowledged_delete_that_is_present_is_resurrected() -> None:
    history = wrote("delete", "a", None, "ok")
    assert found(history, {}) == Defects()
    assert found(history, A).resurrected == ["a"]


def test_an_object_that_nobody_wrote_is_resurrected() -> None:
    assert found([], A | {"z": {"body": "?"}}).resurrected == ["z"]


@pytest.mark.parametrize("outcome", ["unknown", None])
def test_a_write_of_unknown_outcome_may_have_happened_or_not(outcome: str | None) -> None:
    history = wrote("put", "a", {"body": "second"}, outcome)
    assert found(history, A) == Defects()
    assert found(history, {"a": {"body": "second"}}) == Defects()
    assert found(history, {"a": {"body": "third"}}).lost == ["a"]
    assert found(history, {}).lost == ["a"]


def test_a_write_of_unknown_outcome_may_land_behind_a_newer_one_but_only_as_what_was_asked() -> None:
    history = wrote("put", "a", {"body": "second"}, "unknown") + wrote("put", "a", {"body": "third"}, "ok")
    assert found(history, {"a": {"body": "third"}}) == Defects()
    assert found(history, {"a": {"body": "second"}}) == Defects()
    assert found(history, A).stale == ["a"]
    assert found(history, {"a": {"body": "second and third"}}).lost == ["a"]


def test_a_partial_update_of_unknown_outcome_changes_its_own_properties_only() -> None:
    history = wrote("update", "a", {"views": 2}, "unknown") + wrote("update", "a", {"body": "second"}, "ok")
    assert found(history, {"a": {"body": "second", "views": 1}}) == Defects()
    assert found(history, {"a": {"body": "second", "views": 2}}) == Defects()
    assert found(history, {"a": {"body": "first", "views": 2}}).stale == ["a"]
    assert found(history, {"a": {"body": "first", "views": 1}}).stale == ["a"]


def test_an_update_of_unknown_outcome_does_not_bring_back_what_was_deleted() -> None:
    history = wrote("update", "a", {"views": 2}, "unknown") + wrote("delete", "a", None, "ok")
    assert found(history, {}) == Defects()
    assert found(history, {"a": {"body": "first", "views": 2}}).resurrected == ["a"]
    assert found(wrote("put", "a", {"body": "x"}, None) + wrote("delete", "a", None, "ok"), {"a": {"body": "x"}}) == Defects()


def test_writes_of_several_applications_to_one_object_count_in_every_order_that_their_times_allow() -> None:
    one, other = wrote("put", "a", {"body": "one"}, "ok"), wrote("put", "a", {"body": "other"}, "ok")
    at_once = [one[0], other[0], one[1], other[1]]
    for body in ("one", "other"):
        assert found(at_once, {"a": {"body": body}}) == Defects()
        assert found(one + other, {"a": {"body": body}}).stale == (["a"] if body == "one" else [])


@pytest.mark.parametrize("outcome", ["not_written", "failed"])
def test_a_refused_write_changed_nothing(outcome: str) -> None:
    history = wrote("put", "a", {"body": "second"}, outcome)
    assert found(history, A) == Defects()
    assert found(history, {"a": {"body": "second"}}).lost == ["a"]


def test_searches_in_the_history_are_no_writes() -> None:
    assert found([{"op": "search", "ok": True, "invoked": 1.0, "answered": 2.0}], A) == Defects()


def test_stamps_nulls_and_the_form_of_a_date_are_no_difference_and_all_else_is() -> None:
    live = {"a": {"at": "2026-01-01T00:00:00Z", "body": "x", "gone": None}}
    shadow = {"a": {"at": "2026-01-01T00:00:00+00:00", "body": "x", "embedding_model": "m"}}
    assert different(live, shadow) == []
    assert different(live, {"a": {**shadow["a"], "body": "y"}}) == ["a"]
    assert different(live, {"a": {**shadow["a"], "embedding_notes": "an application's own"}}) == ["a"]
    assert sorted(different(live, {"b": shadow["a"]})) == ["a", "b"]


class Model:
    """Each text's vector is its length and 1."""

    def embed(self, texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 1.0] for text in texts]


def stored(uuid: str, text: str, vector: list[float] | None) -> dict[str, Any]:
    return {"id": uuid, "properties": {"body": text}, "vector": vector}


def test_a_vector_of_another_space_is_found_and_so_is_a_missing_one() -> None:
    objects = [
        stored("right", "four", [4.0, 1.0]),
        stored("other", "four", [1.0, 4.0]),
        stored("long", "four", [4.0, 1.0, 0.0]),
        stored("none", "four", None),
        stored("no text", "", None),
    ]
    assert of_another_space(objects, ["body"], Model()) == ["other", "long", "none"]  # type: ignore[arg-type]
    named = {"id": "named", "properties": {"body": "four"}, "vectors": {"text": [1.0, 4.0]}}
    assert of_another_space([named], ["body"], Model()) == ["named"]  # type: ignore[arg-type]


def test_a_hair_below_the_tolerance_is_found() -> None:
    assert cosine([1.0, 0.0], [0.9991, 0.0424]) > 0.999 > cosine([1.0, 0.0], [0.9989, 0.0469])


def test_an_object_that_the_index_does_not_return_is_found_unless_it_was_only_missed_among_others() -> None:
    class Index:
        def found_near(self, collection: str, vector: list[float], uuids: list[str]) -> set[str]:
            return set(uuids) - {"b"} - ({"c"} if len(uuids) > 1 else set())

    objects = [stored(name, "x", [1.0]) for name in "abc"]
    assert not_found_by_index(Index(), "Docs", objects) == ["b"]  # type: ignore[arg-type]


def test_the_text_is_the_recipes_properties_in_order() -> None:
    assert text_of({"body": "b", "title": "t", "tags": ["x", " ", "y"], "n": 1}, ["title", "tags", "n", "body"]) == "t\nx\ny\nb"


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "history").write_text('{"a": 1}\n{"b": {"c": 2}')
    assert read_lines(tmp_path / "history") == [{"a": 1}]
    (tmp_path / "again").write_text(
        '{"id": 1, "content": {"c"\n{"id": 2, "content": {"c": {"id": 3, "op": "put", "content": {"d": 4}}\n'
    )
    assert read_lines(tmp_path / "again") == [{"id": 3, "op": "put", "content": {"d": 4}}]
    (tmp_path / "corpus").write_text('{"a": 1}\n{"b": 2}')
    assert len(read_lines(tmp_path / "corpus")) == 2


def test_the_checker_names_nothing_of_vecferry() -> None:
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level <= 1, f"{file.name} reaches out of its folder"
                names = [node.module or ""]
            assert not [name for name in names if name.startswith("vecferry")], file.name


def test_the_checkers_process_imports_nothing_of_vecferry() -> None:
    program = "import json, sys, checker.inspection; print(json.dumps(sorted(n for n in sys.modules if 'vecferry' in n)))"
    answer = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(FOLDER.parent)}, capture_output=True, check=True
    )
    # The editable install's own finder is no code of the product.
    assert [name for name in json.loads(answer.stdout) if not name.startswith("__editable__")] == []
