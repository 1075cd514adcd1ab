"""Per-query metrics, sound and complete; then the verdict by non-inferiority."""

from __future__ import annotations

from vecferry.checks.expectations import expectation_classes, run_suite
from vecferry.checks.verdict_of import with_judgement
from vecferry.domain.lifecycle import Migration
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Ports
from vecferry.steps.asking import golden_of
from vecferry.steps.validate_golden_set import STAGE
from vecferry.steps.validate_golden_set import judge as judge_pairs

_COLUMNS = ("query_id", "arm", "answered", "ndcg_at_10", "recall_at_10", "mrr_at_10")


def judge(ports: Ports, migration: Migration) -> Verdict:
    gxe = expectation_classes()

    rows = [{name: row.get(name) for name in _COLUMNS} for row in ports.ledger.measurements(migration.id, STAGE)]
    expectations = [
        gxe.ExpectColumnValuesToBeInSet(column="arm", value_set=["live", "shadow"]),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["query_id", "arm"]),
        *(
            gxe.ExpectColumnValuesToBeBetween(column=column, min_value=0, max_value=1)
            for column in ("ndcg_at_10", "recall_at_10", "mrr_at_10")
        ),
    ]
    graded = len(golden_of(ports, migration.pin, of=migration.covers).graded)
    result = run_suite(STAGE, rows, expectations, expected_rows=2 * graded, columns=_COLUMNS, key="query_id")
    return with_judgement(judge_pairs(ports, migration.id), result)
