"""A check cannot pass on nothing. Real Great Expectations, with rows that a lenient suite would let through."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from vecferry.checks.expectations import CheckResult, expectation_classes, failure_text, run_suite
from vecferry.errors import BadInput

gxe = expectation_classes()


def vectors(count: int, **wrong: Any) -> list[dict[str, Any]]:
    """``wrong`` replaces values in the rows 3 and 5."""
    rows: list[dict[str, Any]] = [{"uuid": f"u{i}", "dims": 384, "model": "m@384", "skipped": None} for i in range(count)]
    for i in (3, 5):
        if wrong and i < count:
            rows[i] |= wrong
    return rows


def suite() -> list[Any]:
    return [
        gxe.ExpectColumnValuesToBeUnique(column="uuid"),
        gxe.ExpectColumnValuesToBeBetween(column="dims", min_value=384, max_value=384),
        gxe.ExpectColumnValuesToBeInSet(column="model", value_set=["m@384"]),
    ]


def check(rows: list[dict[str, Any]], expected_rows: int | None, min_rows: int = 1, **options: Any) -> CheckResult:
    result = run_suite("dual write sample", rows, options.pop("expectations", suite()), expected_rows, min_rows, **options)
    json.dumps(result.describe, allow_nan=False)
    return result


def test_right_rows_pass_and_are_described() -> None:
    result = check(vectors(8), 8)
    assert (result.success, result.failures, result.rows, failure_text(result)) == (True, [], 8, "")
    assert result.describe["statistics"] == {"evaluated": 11, "successful": 11, "unsuccessful": 0}


@pytest.mark.parametrize("expected_rows", [None, 8])
def test_no_rows_at_all_fail(expected_rows: int | None) -> None:
    result = check([], expected_rows)
    assert not result.success
    assert "rows: expected row count to be between (min_value 1); found 0" in failure_text(result)


def test_no_rows_pass_only_if_the_caller_expects_none_and_says_so_twice() -> None:
    assert not check([], 0).success
    assert check([], 0, 0).success
    assert not check(vectors(1), 0, 0).success


def test_too_few_rows_fail_though_each_is_right() -> None:
    result = check(vectors(7), 8)
    assert result.failures == ["rows: expected row count to equal (value 8); found 7"]


@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_a_column_of_nulls_fails(nothing: Any) -> None:
    """GX itself passes "in set" and "between" on it."""
    rows = [row | {"model": nothing, "dims": nothing} for row in vectors(8)]
    assert {line.split(":")[0] for line in check(rows, 8).failures} == {"model", "dims"}


def test_a_column_that_no_row_has_fails_even_where_nulls_are_allowed() -> None:
    rows = [{name: value for name, value in row.items() if name != "skipped"} for row in vectors(8)]
    result = check(rows, 8, columns=["skipped"], nullable=["skipped"])
    assert result.failures == ["skipped: expected to exist; it is missing"]


def test_a_column_that_nothing_is_asked_of_may_be_required_too() -> None:
    assert check(vectors(8), 8, columns=["skipped"], nullable=["skipped"]).success
    assert not check(vectors(8), 8, columns=["skipped"]).success


def test_an_expectation_about_nulls_is_the_callers_word() -> None:
    seldom = [*suite(), gxe.ExpectColumnValuesToNotBeNull(column="skipped", mostly=0.25)]
    assert not check(vectors(8), 8, expectations=seldom).success
    assert check(vectors(8, skipped="no-text"), 8, expectations=seldom).success


def test_a_condition_that_matches_no_row_fails() -> None:
    nobody = {"row_condition": 'model == "other"', "condition_parser": "pandas"}
    vacuous = gxe.ExpectColumnValuesToBeBetween(column="dims", min_value=1, max_value=2, **nobody)
    result = check(vectors(8), 8, expectations=[*suite(), vacuous])
    assert len(result.failures) == 1
    assert "no row was looked at" in result.failures[0]


def test_a_failure_says_column_expectation_count_and_which_rows() -> None:
    result = check(vectors(1000, dims=3), 1001)
    assert failure_text(result).splitlines() == [
        "dual write sample: 2 of 11 expectations failed on 1,000 rows",
        "- rows: expected row count to equal (value 1001); found 1000",
        "- dims: expected values to be between (min_value 384.0, max_value 384.0); "
        "2 of 1,000 rows, e.g. uuid u3 has dims 3; uuid u5 has dims 3",
    ]


def test_an_integer_beside_a_null_stays_an_integer() -> None:
    rows = vectors(8)
    rows[1]["dims"], rows[2]["dims"] = None, 3
    assert "uuid u2 has dims 3" in failure_text(check(rows, 8))


def test_duplicates_are_named() -> None:
    rows = vectors(8)
    rows[1]["uuid"] = "u0"
    assert "uuid: expected values to be unique; 2 of 8 rows, e.g. uuid u0; uuid u0" in check(rows, 8).failures


def test_pairs_of_columns_are_compared_and_named() -> None:
    rows = [row | {"wanted": "m@384"} for row in vectors(8, model="other")]
    equal = gxe.ExpectColumnPairValuesToBeEqual(column_A="model", column_B="wanted")
    result = check(rows, 8, expectations=[equal])
    assert len(result.failures) == 1
    assert result.failures[0].startswith("model, wanted: expected pair values to be equal; 2 of 8 rows, e.g. uuid u3 has")


def test_rows_may_be_named_by_another_column_or_by_none() -> None:
    small = gxe.ExpectColumnValuesToBeBetween(column="n", max_value=1)
    named = check([{"query_id": "q7", "n": 9}], 1, expectations=[small], key="query_id")
    assert "query_id q7 has n 9" in named.failures[0]
    assert check([{"n": 9}], 1, expectations=[small]).failures[0].endswith("1 of 1 rows, e.g. 9")


def test_the_same_expectations_may_be_run_again() -> None:
    again = suite()
    assert check(vectors(8), 8, expectations=again).success
    assert check(vectors(8), 8, expectations=again).success


def test_what_is_no_expectation_is_refused() -> None:
    with pytest.raises(BadInput, match="is no expectation"):
        run_suite("s", vectors(1), ["expect_something"], 1)


def test_importing_the_checks_loads_no_great_expectations() -> None:
    code = "import sys, vecferry.checks.expectations; sys.exit('great_expectations' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
