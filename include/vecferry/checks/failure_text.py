"""A failed check in words: which expectation, of which column, how many rows, and which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FIRST = (
    "expect_table_row_count_to_equal",
    "expect_table_row_count_to_be_between",
    "expect_column_to_exist",
    "expect_column_values_to_not_be_null",
)
_SAMPLES = 5


def rank(expectation: Mapping[str, Any]) -> int:
    """Causes before consequences: a missing column fails everything that is asked about it."""
    kind = expectation["expectation_type"]
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)


def failure_line(expectation: Mapping[str, Any], rows: int, key: str) -> str:
    """One failed expectation (an entry of GX's ``describe_dict``); ``key`` is the column that names a row."""
    kwargs = {name: value for name, value in expectation["kwargs"].items() if name != "batch_id"}
    return f"{_column(kwargs)}: expected {_wanted(expectation['expectation_type'], kwargs)}; {_found(expectation, rows, key)}"


def _column(kwargs: Mapping[str, Any]) -> str:
    if "column" in kwargs:
        return str(kwargs["column"])
    pair = [str(kwargs[name]) for name in ("column_A", "column_B") if name in kwargs]
    return ", ".join(pair or [str(column) for column in kwargs.get("column_list", ())]) or "rows"


def _wanted(kind: str, kwargs: Mapping[str, Any]) -> str:
    words = kind.removeprefix("expect_").removeprefix("table_").removeprefix("column_").replace("_", " ")
    said = [f"{n} {_short(v)}" for n, v in kwargs.items() if not n.startswith("column") and v is not None]
    return f"{words} ({', '.join(said)})" if said else words


def _found(expectation: Mapping[str, Any], rows: int, key: str) -> str:
    result = expectation.get("result") or {}
    if expectation.get("vacuous"):
        return "no row was looked at, which proves nothing"
    if "unexpected_count" in result:
        where = f"{result['unexpected_count']:,} of {rows:,} rows"
        samples = [_sample(row, key) for row in result.get("partial_unexpected_index_list") or () if isinstance(row, Mapping)]
        samples = samples or [_short(value) for value in result.get("partial_unexpected_list") or ()]
        return f"{where}, e.g. {'; '.join(samples[:_SAMPLES])}" if samples else where
    if "observed_value" in result:
        return f"found {_short(result['observed_value'])}"
    return "it is missing" if expectation["expectation_type"] == "expect_column_to_exist" else "it could not be evaluated"


def _sample(row: Mapping[str, Any], key: str) -> str:
    """For example ``uuid 3f1c… has dims 3``."""
    values = ", ".join(f"{name} {_short(value)}" for name, value in row.items() if name != key)
    return f"{key} {row.get(key)} has {values}" if values else f"{key} {row.get(key)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}…"
