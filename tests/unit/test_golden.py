"""Golden sets are read strictly, and what is wrong is named with its line and with what is right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vecferry.domain.golden import parse_jsonl, parse_trec
from vecferry.errors import BadInput

A = "3f1c4d5e-0a1b-4c2d-8e9f-0123456789ab"
B = "00000000-0000-0000-0000-000000000000"


def line(**changes: Any) -> str:
    row = {"query_id": "q1", "query": "how do I reset it?", "relevant": {A: 2}} | changes
    return json.dumps({name: value for name, value in row.items() if value is not ...})


def test_a_whole_row_is_read_with_cohort_filters_and_tenant() -> None:
    where = {"path": ["lang"], "operator": "Equal", "valueText": "en"}
    golden = parse_jsonl(
        [line(cohort="short", filters=where, tenant="acme", note="kept by its owner"), "", "\n"], "golden.jsonl"
    )
    query = golden.queries[0]
    assert (query.query_id, query.query, dict(query.relevant)) == ("q1", "how do I reset it?", {A: 2})
    assert (query.cohort, query.filters, query.tenant) == ("short", where, "acme")
    assert golden.cohorts == {"short": 1}


def test_uuids_are_brought_into_the_form_in_which_the_store_answers() -> None:
    golden = parse_jsonl([line(relevant={A.upper(): 1, "0" * 32: 1.0})], "g")
    assert dict(golden.queries[0].relevant) == {A: 1, B: 1}


def test_queries_without_a_relevant_object_are_kept_and_counted() -> None:
    rows = [line(), line(query_id="q2", relevant={}), line(query_id="q3", relevant={A: 0})]
    golden = parse_jsonl(rows, "g")
    assert len(golden.queries) == 3
    assert golden.ungraded == ("q2", "q3")
    assert [query.query_id for query in golden.graded] == ["q1"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (line(relevant={A: "high"}), "no grade"),
        (line(relevant={A: True}), "no grade"),
        (line(relevant={A: 0.5}), "whole numbers"),
        (line(relevant={A: float("nan")}), "no grade"),
        (line(relevant={"doc-7": 1}), "'doc-7' is not a UUID"),
        (line(relevant={A: 1, A.upper(): 2}), "judged twice"),
        (line(relevant=[A]), "relevant is missing or no object"),
        (line(relevant=...), "relevant is missing or no object"),
        (line(query=""), "query is missing or no text"),
        (line(query_id=...), "query_id is missing or no text"),
        (line(filters="lang = en"), "filters is not an object"),
        (line(tenat="acme"), "Is it 'tenant'?"),
        ('{"query_id": "q2", "query": "x", "query": "y", "relevant": {}}', "'query' stands there twice"),
        ("{not json", "not JSON"),
        ("[1, 2]", "not a JSON object"),
        (line(query_id="q0"), "'q0' stands there twice"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line_and_what_is_right(wrong: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_jsonl([line(query_id="q0"), "", wrong], "golden.jsonl")
    assert said in str(caught.value)
    assert "golden.jsonl, line 3" in caught.value.where
    assert caught.value.next_action


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(BadInput, match="no queries"):
        parse_jsonl(["", "  "], "golden.jsonl")


def test_tab_separated_topics_and_qrels_are_read() -> None:
    golden = parse_trec(["301\thow do I reset it?\n", "302\tother\n"], [f"301 0 {A} 2\n", f"301 Q0 {B} -1\n", "\n"])
    assert dict(golden.queries[0].relevant) == {A: 2, B: -1}
    assert golden.ungraded == ("302",)


def test_trec_topic_blocks_are_read_by_number_and_title() -> None:
    topics = [
        "<top>\n",
        "<num> Number: 301\n",
        "<title> Topic: reset\n",
        "it now\n",
        "<desc> Description:\n",
        "…\n",
        "</top>\n",
    ]
    golden = parse_trec(topics, [f"301 0 {A} 1"])
    assert [(query.query_id, query.query) for query in golden.queries] == [("301", "reset it now")]


@pytest.mark.parametrize(
    ("topics", "qrels", "said"),
    [
        (["301\ta", "301\tb"], [], "topics, line 2: topic '301' stands there twice"),
        (["301"], [], "topics, line 1: no topic"),
        (["301\ta"], [f"301 {A} 1"], "qrels, line 1: 3 fields instead of 4"),
        (["301\ta"], [f"301 0 {A} 1", f"302 0 {A} 1"], "qrels, line 2: no topic '302'"),
        (["301\ta"], ["301 0 doc7 1"], "is not a UUID"),
        (["301\ta"], [f"301 0 {A} yes"], "'yes' is no grade"),
        (["301\ta"], [f"301 0 {A} 1", f"301 0 {A} 1"], "judged twice"),
        ([], [], "no queries"),
    ],
)
def test_wrong_trec_files_are_refused_with_their_line(topics: list[str], qrels: list[str], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_trec(topics, qrels)
    assert said in str(caught.value)
