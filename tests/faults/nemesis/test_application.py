"""An application that was killed knows its keys from its own history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.faults.nemesis.application import mended_history, own_keys

PART = {"a": {"body": "one", "title": "t"}, "b": {"body": "two", "title": "t"}}


def write(name: str, op: str, uuid: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"id": name, "op": op, "uuid": uuid, "content": content, "invoked": 1.0}


def answer(name: str, outcome: str) -> dict[str, Any]:
    return {"id": name, "answered": 2.0, "outcome": outcome}


def test_acknowledged_writes_are_its_keys_as_they_are_now() -> None:
    history = [
        write("1", "put", "new", {"body": "three"}),
        answer("1", "ok"),
        write("2", "update", "a", {"body": "changed"}),
        answer("2", "ok"),
        write("3", "delete", "b"),
        answer("3", "ok"),
    ]
    assert own_keys(PART, history) == {"a": {"body": "changed", "title": "t"}, "new": {"body": "three"}}


def test_a_refused_write_changed_nothing() -> None:
    assert own_keys(PART, [write("1", "delete", "a"), answer("1", "not_written")]) == PART


def test_keys_whose_write_is_unclear_or_unanswered_are_left_alone() -> None:
    history = [write("1", "put", "a", {"body": "x"}), answer("1", "unknown"), write("2", "delete", "b")]
    assert own_keys(PART, history) == {}


def test_an_unanswered_write_of_a_key_that_was_written_again_still_counts() -> None:
    """A restarted process appends behind it; nothing later says what became of it."""
    history = [write("1", "put", "a", {"body": "x"}), {"op": "search", "ok": True}, {"op": "control", "ok": True}]
    assert own_keys(PART, history) == {"b": PART["b"]}


def test_a_line_that_a_kill_cut_off_is_cut_away_so_that_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "app.jsonl"
    whole = json.dumps(write("1", "put", "a", {"body": "x"})) + "\n"
    path.write_text(whole + '{"id": "1", "answ')
    assert [row["id"] for row in mended_history(path)] == ["1"]
    assert path.read_text() == whole
    assert mended_history(tmp_path / "none.jsonl") == []
