"""What the demo's report counts, and when it says that a promise was not kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vecferry.domain.lifecycle import Phase
from vecferry.errors import BadInput, NeedsPerson
from vecferry.sandbox.demo.documents import gather
from vecferry.sandbox.demo.fill import schema_of
from vecferry.sandbox.demo.folder import DemoFolder, taken
from vecferry.sandbox.demo.options import Options
from vecferry.sandbox.demo.promises import broken
from vecferry.sandbox.demo.stage_seconds import StageSeconds
from vecferry.sandbox.demo.traffic_figures import collect


def search(at: float, arm: str = "live", version: int = 1, ok: bool = True) -> dict[str, Any]:
    row = {"op": "search", "ok": ok, "invoked": at - 0.1, "answered": at}
    return row | ({"arm": arm, "version": version} if ok else {})


def test_the_share_is_of_the_queries_under_one_routing_version() -> None:
    traffic = collect([search(1, "shadow", 2), search(2, "live", 2), search(3, "shadow", 3), search(4, ok=False)])
    assert traffic.served(2) == (2, 0.5)
    assert traffic.served(9) == (0, 0.0)
    assert traffic.queries_failed == 1


def test_the_rollback_is_seen_at_the_last_answer_of_the_shadow_before_it_was_reopened() -> None:
    traffic = collect([search(9, "shadow"), search(11, "shadow"), search(12, "live"), search(20, "shadow")])
    assert traffic.last_served_by_shadow(10, 15) == 11
    assert traffic.last_served_by_shadow(12, 15) is None


def test_a_write_is_one_row_and_without_an_answer_its_outcome_is_unknown() -> None:
    rows = [
        {"id": "a", "op": "put", "uuid": "u", "content": {}, "invoked": 1.0},
        {"id": "b", "op": "put", "uuid": "v", "content": {}, "invoked": 2.0},
        {"id": "a", "answered": 4.5, "outcome": "ok"},
    ]
    traffic = collect(rows)
    assert (len(traffic.writes), traffic.writes_unknown) == (2, 1)
    assert traffic.longest_write_s(4, 5) == 3.5
    assert traffic.longest_write_s(5, 6) == 0.0


def task(name: str, start: str, end: str | None) -> dict[str, Any]:
    at = "2026-11-01T10:00:{}+00:00".format
    return {"task_id": name, "map_index": -1, "start_date": at(start), "end_date": at(end) if end else None}


def test_a_stages_seconds_count_every_attempt_once_and_overlaps_once() -> None:
    seconds = StageSeconds()
    first = [task("plan.act", "00", "04"), task("plan.check", "03", "05"), task("decide", "05", "06")]
    for _ in range(2):
        seconds.note(first)
    seconds.note([task("plan.act", "10", "12"), task("plan.check", "12", None)])
    assert seconds.by_stage() == {"plan": 7.0}


KEPT: dict[str, Any] = {
    "queries_failed": 0, "writes_lost": 0, "stale_objects": 0, "resurrected_objects": 0, "mixed_space_objects": 0,
    "unindexed_objects": 0, "parity_differences": 0, "objects_live": 5000, "queries_total": 2000, "writes_total": 400,
    "verdicts": {"plan": {"outcome": "PASS", "reason": ""}}, "shares": {"cut_over_100": {"served": 1.0}},
    "rollback_seen_s": 1.0, "write_hold_s": 0.4,
}  # fmt: skip


def not_kept(**changed: Any) -> list[str]:
    return broken(Options(), KEPT | changed, phase=Phase.RETIRED, state="success")


def test_nothing_is_broken_when_all_is_as_promised() -> None:
    assert not_kept() == []


@pytest.mark.parametrize(
    "changed",
    [
        *({name: 1} for name, value in KEPT.items() if value == 0),
        {"parity_differences": None},
        {"objects_live": 0},
        {"queries_total": 999},
        {"writes_total": 299},
        {"write_hold_s": 2.6},
        {"rollback_seen_s": None},
        {"shares": {}},
        {"verdicts": {"plan": {"outcome": "INCONCLUSIVE", "reason": "why"}}},
    ],
)
def test_each_promise_can_be_broken(changed: dict[str, Any]) -> None:
    assert len(not_kept(**changed)) == 1


def test_a_refusal_that_did_not_happen_is_a_broken_promise() -> None:
    refused = KEPT | {"shares": {}, "verdicts": {"validate_golden_set": {"outcome": "FAIL", "reason": ""}}}
    options = Options(candidate="sandbox-hash-bad")
    assert broken(options, refused, phase=Phase.VERIFIED, state="failed") == []
    assert len(broken(options, KEPT, phase=Phase.RETIRED, state="success")) == 4


def test_a_folder_of_somebody_elses_files_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("years of work")
    with pytest.raises(NeedsPerson, match="not the demo's"), taken(tmp_path / "demo"):
        pass
    assert (tmp_path / "demo" / "thesis.txt").exists()


def test_a_second_demo_starts_from_an_empty_folder_once_the_first_has_ended(tmp_path: Path) -> None:
    with taken(tmp_path / "demo") as first:
        first.corpus.write_text("x")
        with pytest.raises(NeedsPerson, match="another demo runs here, as process"), taken(tmp_path / "demo"):
            pass
    with taken(tmp_path / "demo") as second:
        assert not second.corpus.exists()


def test_other_peoples_documents_are_read_strictly_and_all_their_texts_embedded(tmp_path: Path) -> None:
    corpus, golden, folder = tmp_path / "c.jsonl", tmp_path / "g.jsonl", DemoFolder(tmp_path)
    key = "00000000-0000-4000-8000-000000000001"
    corpus.write_text(f'{{"uuid": "{key}", "properties": {{"name": "n", "about": "a", "size": 3}}}}\n')
    golden.write_text(f'{{"query_id": "q", "query": "n", "relevant": {{"{key}": 1}}}}\n')
    found = gather(folder, corpus, golden, documents=1, queries=1)
    assert found.recipe == ("name", "about")
    types = {row["name"]: row["dataType"] for row in schema_of(found.rows, "Docs")["properties"]}
    assert types == {"name": ["text"], "about": ["text"], "size": ["number"]}
    golden.write_text(f'{{"query_id": "q", "query": "n", "relevant": {{"{key[:-1]}2": 1}}}}\n')
    with pytest.raises(BadInput, match="not in the corpus"):
        gather(folder, corpus, golden, documents=1, queries=1)
    with pytest.raises(BadInput, match="belong together"):
        gather(folder, corpus, None, documents=1, queries=1)
