"""The chunks: rows in = rows out, no failures left, spend ≤ budget; as many as were planned."""

from __future__ import annotations

from typing import Any

from vecferry.checks.expectations import expectation_classes, run_suite
from vecferry.checks.verdict_of import verdict_of
from vecferry.domain.chunks import Chunk
from vecferry.domain.lifecycle import Migration
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Ports
from vecferry.steps.backfill import PLANNED

_NO_LIMIT = 1e12


def judge(ports: Ports, migration: Migration) -> Verdict:
    gxe = expectation_classes()

    spend = ports.ledger.spend(migration_id=migration.id)
    budget = migration.options.get("budget_usd") or _NO_LIMIT
    rows = [_row(chunk, spend.cost_usd, budget) for chunk in ports.ledger.chunks(migration.id)]
    expectations = [
        gxe.ExpectColumnValuesToBeUnique(column="chunk"),
        gxe.ExpectColumnValuesToBeInSet(column="state", value_set=["done"]),
        gxe.ExpectColumnPairValuesToBeEqual(column_A="rows_in", column_B="rows_out"),
        gxe.ExpectColumnValuesToBeInSet(column="failed", value_set=[0]),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="budget_usd", column_B="cost_usd", or_equal=True),
        gxe.ExpectColumnSumToBeBetween(column="rows_out", min_value=1),
    ]
    planned = [e.detail["chunks"] for e in ports.ledger.events(migration_id=migration.id, what=PLANNED)]
    columns = ("chunk", "state", "rows_in", "rows_out", "failed", "cost_usd", "budget_usd")
    result = run_suite(
        "backfill", rows, expectations, expected_rows=planned[-1] if planned else 0, columns=columns, key="chunk"
    )
    return verdict_of("backfill", result, objects=sum(row["rows_out"] for row in rows), cost_usd=spend.cost_usd)


def _row(chunk: Chunk, cost_usd: float, budget_usd: float) -> dict[str, Any]:
    return {
        "chunk": f"{chunk.tenant or ''}/{chunk.start}…{chunk.end}",
        "state": chunk.state.value,
        "rows_in": chunk.rows_in,
        "rows_out": chunk.rows_out,
        "failed": chunk.failed,
        "cost_usd": cost_usd,
        "budget_usd": budget_usd,
    }
