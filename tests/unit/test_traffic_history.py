"""The application's history is evidence: what was sent is written before, what was answered after."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from vecferry.errors import NotFound, NotWritten, UnknownOutcome, VecferryError
from vecferry.sandbox.checker.contents import Defects, defects
from vecferry.sandbox.checker.expectation import replay
from vecferry.sandbox.checker.reading import read_lines
from vecferry.sandbox.traffic.control import Control, Wish
from vecferry.sandbox.traffic.history import History
from vecferry.sandbox.traffic.writer import Writer, partitions

DOCUMENTS = [{"uuid": f"u{n}", "properties": {"title": f"t{n}", "body": f"some words {n} " * 4}} for n in range(20)]


class StoringRouter:
    """What the Router does to a store, as far as the application sees; ``fails`` gives the next calls' errors."""

    def __init__(self) -> None:
        self.stored = {row["uuid"]: dict(row["properties"]) for row in DOCUMENTS}
        self.fails: list[VecferryError | None] = []

    def put(self, uuid: str, properties: dict[str, Any]) -> None:
        self._fail()
        self.stored[uuid] = dict(properties)

    def update(self, uuid: str, properties: dict[str, Any]) -> None:
        self._fail()
        self.stored[uuid] |= properties

    def delete(self, uuid: str) -> None:
        self._fail()
        del self.stored[uuid]

    def _fail(self) -> None:
        error = self.fails.pop(0) if self.fails else None
        if error:
            raise error


def written(tmp_path: Path, router: StoringRouter, times: int, seed: int = 7) -> list[dict[str, Any]]:
    path = tmp_path / "history.jsonl"
    own = {row["uuid"]: row["properties"] for row in DOCUMENTS}
    with History(path) as history:
        writer = Writer(router, history, own, "body", random.Random(seed))  # type: ignore[arg-type]
        for _ in range(times):
            writer.write_once()
    return read_lines(path)


def test_replaying_the_history_gives_what_is_stored(tmp_path: Path) -> None:
    router = StoringRouter()
    history = written(tmp_path, router, 200)
    assert {row["op"] for row in history if "op" in row} == {"put", "update", "delete"}
    assert defects(replay(DOCUMENTS, history), router.stored) == Defects()
    del router.stored[next(iter(router.stored))]
    assert defects(replay(DOCUMENTS, history), router.stored) != Defects()


def test_a_write_is_in_the_file_before_it_is_sent(tmp_path: Path) -> None:
    class Looking(StoringRouter):
        def _fail(self) -> None:
            (row,) = read_lines(tmp_path / "history.jsonl")
            assert "outcome" not in row
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(tmp_path, Looking(), 1)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (UnknownOutcome("late"), "unknown"),
        (NotWritten("no"), "not_written"),
        (NotFound("gone"), "failed"),
        (None, "ok"),
    ],
)
def test_each_answer_has_its_outcome(tmp_path: Path, error: VecferryError | None, outcome: str) -> None:
    router = StoringRouter()
    router.fails = [error]
    assert written(tmp_path, router, 1)[-1]["outcome"] == outcome


def test_a_key_of_unknown_outcome_is_not_written_again(tmp_path: Path) -> None:
    router = StoringRouter()
    router.fails = [UnknownOutcome("late")] * 10
    history = written(tmp_path, router, 300)
    unknown = {row["id"] for row in history if row.get("outcome") == "unknown"}
    keys = [row["uuid"] for row in history if row["id"] in unknown and "uuid" in row]
    for key in keys:
        assert sum(row.get("uuid") == key for row in history) == 1 or history[-1]["id"] not in unknown
        last = [row["id"] for row in history if row.get("uuid") == key][-1]
        assert last in unknown


def test_writers_share_no_key_and_leave_the_golden_ones_alone() -> None:
    parts = partitions(DOCUMENTS, {"u0", "u1"}, 3)
    keys = [key for part in parts for key in part]
    assert len(keys) == len(set(keys)) == 18
    assert not {"u0", "u1"} & set(keys)


def test_a_restarted_application_goes_on_in_the_same_file_under_other_ids(tmp_path: Path) -> None:
    router = StoringRouter()
    written(tmp_path, router, 3, seed=1)
    history = written(tmp_path, router, 0) + read_lines(tmp_path / "history.jsonl")
    with History(tmp_path / "history.jsonl") as again:
        name = again.begin_write("delete", "u1", None)
    assert name not in {row["id"] for row in history}


def test_what_the_demo_wishes_reaches_the_application_and_its_report_comes_back(tmp_path: Path) -> None:
    demo, application = Control(tmp_path), Control(tmp_path)
    assert application.wish() is Wish.RUN
    demo.ask(Wish.PAUSE_WRITES)
    assert application.wish() is Wish.PAUSE_WRITES
    assert demo.reported() == {}
    application.report(does="pause_writes", queries=3)
    demo.ask_and_wait(Wish.PAUSE_WRITES, deadline_s=1)
    assert json.loads((tmp_path / "report.json").read_text())["queries"] == 3


def test_a_writer_without_a_key_of_its_own_creates_some(tmp_path: Path) -> None:
    router = StoringRouter()
    samples = [row["properties"] for row in DOCUMENTS]
    with History(tmp_path / "history.jsonl") as history:
        Writer(router, history, {}, "body", random.Random(1), samples).write_once()  # type: ignore[arg-type]
    assert len(router.stored) == len(DOCUMENTS) + 1


def test_any_other_line_stands_between_writes_and_searches(tmp_path: Path) -> None:
    with History(tmp_path / "history.jsonl") as history:
        history.note({"op": "control", "ok": True})
    assert read_lines(tmp_path / "history.jsonl") == [{"op": "control", "ok": True}]
    assert (history.queries, history.writes) == (0, 0)
