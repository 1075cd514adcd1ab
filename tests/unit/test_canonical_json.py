"""One text for one content, by whichever road it is made: copies of another release carry its hash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecferry.domain.objects import STAMP_AT, STAMPS, canonical_json, hashed_text

TEXTS = st.text(st.characters(codec="utf-8"))
NAMES = TEXTS.filter(lambda name: name not in STAMPS)
FLAT = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
DEEP = st.recursive(FLAT | NUMBERS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))


def plainly(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plainly(part) for name, part in value.items() if part is not None}
    if isinstance(value, list):
        return [plainly(part) for part in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def by_the_library(content: dict[str, Any]) -> str:
    return json.dumps(plainly(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@given(st.dictionaries(NAMES, FLAT))
def test_texts_and_whole_numbers_are_written_as_the_library_writes_them(content: dict[str, Any]) -> None:
    assert hashed_text(content) == canonical_json(content) == by_the_library(content)


@given(st.dictionaries(NAMES, DEEP))
def test_whatever_else_is_too(content: dict[str, Any]) -> None:
    assert hashed_text(content) == canonical_json(content) == by_the_library(content)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({}, "{}"),
        ({"b": 1, "a": 'quote " and \\', "none": None}, '{"a":"quote \\" and \\\\","b":1}'),
        ({"flag": True, "other": False, "one": 1}, '{"flag":true,"one":1,"other":false}'),
        ({"line": "a\nb\t\x01\u2028é"}, '{"line":"a\\nb\\t\\u0001\u2028é"}'),
        ({"n": 2.0, "m": 2.5}, '{"m":2.5,"n":2}'),
    ],
)
def test_as_it_has_always_been(content: dict[str, Any], text: str) -> None:
    assert hashed_text(content) == canonical_json(content) == text
    assert hashed_text({**content, STAMP_AT: "today"}) == text
