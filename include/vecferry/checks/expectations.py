"""Run a Great Expectations suite over rows that were read back, so that it cannot pass on nothing.

Left to itself GX passes every column expectation on an empty frame, most of them on a column of nulls, and all of them
where a row condition matches no row. So each suite here begins with the number of rows, which the caller knows from
elsewhere, then asks that each column exists and is not null, and what looked at no row counts as failed.
"""

from __future__ import annotations

import copy
import importlib
import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vecferry.checks.failure_text import failure_line, rank
from vecferry.errors import BadInput

_SAMPLES = 5
_LONGEST_LIST = 50
_NULL_SAID = ("expect_column_values_to_not_be_null", "expect_column_values_to_be_null")


@dataclass(frozen=True)
class CheckResult:
    """``describe`` is JSON-able: ``success``, ``statistics`` and the ``expectations`` with up to five samples each.
    ``failures`` has a line for each failed expectation, causes first."""

    name: str
    success: bool
    describe: dict[str, Any]
    failures: list[str]
    rows: int


def failure_text(result: CheckResult) -> str:
    """Several lines for people; empty if nothing failed."""
    if result.success:
        return ""
    of = len(result.describe["expectations"])
    head = f"{result.name}: {len(result.failures)} of {of} expectations failed on {result.rows:,} rows"
    return "\n".join([head, *(f"- {line}" for line in result.failures)])


def run_suite(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    expectations: Sequence[Any],
    expected_rows: int | None,
    min_rows: int = 1,
    *,
    columns: Sequence[str] = (),
    nullable: Collection[str] = (),
    key: str = "uuid",
) -> CheckResult:
    """``expectations`` are GX's own objects. ``expected_rows`` comes from elsewhere than ``rows`` (``None``: only
    ``min_rows`` is known; 0 passes with ``min_rows=0`` alone).

    ``columns``, and all that the expectations name, must be in some row, and not null but for the ``nullable`` ones and
    those whose nulls a given expectation speaks of. ``key`` names a row in messages. Raises ``BadInput`` for
    expectations that GX cannot take.
    """
    _refuse_others(name, expectations)
    wanted = list(dict.fromkeys([*columns, *_columns_of(expectations)]))
    suite = [*_row_counts(expected_rows, min_rows), *_presence(wanted, expectations, nullable), *expectations]
    found = _run(name, _frame(rows, wanted, key), suite, key)
    entries = sorted((_judged(entry, len(rows)) for entry in found), key=rank)
    failures = [failure_line(entry, len(rows), key) for entry in entries if not entry["success"]]
    return CheckResult(name, not failures, _description(entries, failures), failures, len(rows))


def _refuse_others(name: str, expectations: Sequence[Any]) -> None:
    others = [e for e in expectations if not hasattr(e, "expectation_type")]
    if others:
        right = "Give objects of great_expectations.expectations."
        raise BadInput(f"{others[0]!r} is no expectation", where=name, next_action=right)


def expectation_classes() -> Any:
    """GX's expectations, imported on first use; untyped, because GX exports them in no way that mypy accepts."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"  # read when GX is imported
    return importlib.import_module("great_expectations.expectations")


def _row_counts(expected_rows: int | None, min_rows: int) -> list[Any]:
    gxe = expectation_classes()
    equal = [] if expected_rows is None else [gxe.ExpectTableRowCountToEqual(value=expected_rows)]
    return [*equal, gxe.ExpectTableRowCountToBeBetween(min_value=min_rows)]


def _presence(columns: Sequence[str], expectations: Sequence[Any], nullable: Collection[str]) -> list[Any]:
    gxe = expectation_classes()
    said = {e.column for e in expectations if e.expectation_type in _NULL_SAID}
    exist: list[Any] = [gxe.ExpectColumnToExist(column=column) for column in columns]
    return exist + [gxe.ExpectColumnValuesToNotBeNull(column=c) for c in columns if c not in said and c not in nullable]


def _columns_of(expectations: Sequence[Any]) -> list[str]:
    single = ("column", "column_A", "column_B")
    named = [getattr(e, attribute, None) for e in expectations for attribute in single]
    listed = [column for e in expectations for column in getattr(e, "column_list", None) or ()]
    return [column for column in [*named, *listed] if column]


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], key: str) -> Any:
    """A column that no row has is left out, so that its absence is seen; an empty list has them all, so that what fails is
    the number of rows. Objects, so that an integer beside a null stays one."""
    import pandas as pd

    names = list(dict.fromkeys([key, *columns]))
    present = [n for n in names if any(n in row for row in rows)] if rows else names
    return pd.DataFrame([[row.get(n) for n in present] for row in rows], columns=present, dtype=object)


def _run(name: str, frame: Any, suite: Sequence[Any], key: str) -> list[dict[str, Any]]:
    """Each expectation's entry of ``describe_dict``."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_or_update_pandas("rows")
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
    copies = [copy.copy(expectation) for expectation in suite]  # GX marks them as this suite's own
    checked = context.suites.add(gx.ExpectationSuite(name=name, expectations=copies))
    validation = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=checked))
    checkpoint = gx.Checkpoint(name=name, validation_definitions=[validation], result_format=_result_format(frame, key))
    result = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": frame})
    entries: list[dict[str, Any]] = result.describe_dict()["validation_results"][0]["expectations"]
    return entries


def _result_format(frame: Any, key: str) -> dict[str, Any]:
    samples: dict[str, Any] = {"result_format": "SUMMARY", "partial_unexpected_count": _SAMPLES}
    return samples | ({"unexpected_index_column_names": [key]} if key in frame.columns else {})


def _judged(entry: dict[str, Any], rows: int) -> dict[str, Any]:
    """Without any rows the counts of rows have said all that there is to say."""
    plain: dict[str, Any] = _plain(entry)
    if rows and plain["success"] and plain.get("result", {}).get("element_count") == 0:
        return plain | {"success": False, "vacuous": True}
    return plain


def _description(entries: list[dict[str, Any]], failures: list[str]) -> dict[str, Any]:
    statistics = {"evaluated": len(entries), "successful": len(entries) - len(failures), "unsuccessful": len(failures)}
    return {"success": not failures, "statistics": statistics, "expectations": entries}


def _plain(value: Any) -> Any:
    """JSON that every database takes: no NaN, nothing but JSON's types, long lists cut."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = [_plain(item) for item in list(value)[:_LONGEST_LIST]]
        return items if len(value) <= _LONGEST_LIST else [*items, f"… {len(value) - _LONGEST_LIST} more"]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
