"""The plan: cost ≤ budget (less what dual-write keeps), finish ≤ deadline, texts ≤ the limit, dimensions and distance known."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from vecferry.checks.expectations import expectation_classes, run_suite
from vecferry.checks.verdict_of import verdict_of
from vecferry.domain.budget import backfill_budget_usd
from vecferry.domain.lifecycle import Migration
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Ports

_NO_LIMIT = 1e12


def judge(ports: Ports, migration: Migration) -> Verdict:
    gxe = expectation_classes()

    row = _row(ports, migration)
    expectations = [
        gxe.ExpectColumnValuesToBeBetween(column="objects", min_value=1),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="budget_usd", column_B="cost_usd", or_equal=True),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="deadline_hours", column_B="total_hours", or_equal=True),
        gxe.ExpectColumnValuesToBeInSet(column="overlong_unhandled", value_set=[0]),
        gxe.ExpectColumnValuesToBeBetween(column="dimensions", min_value=1),
        gxe.ExpectColumnValuesToBeInSet(column="distance", value_set=["cosine", "dot", "l2-squared"]),
        gxe.ExpectColumnValuesToBeInSet(column="live_collection", value_set=[migration.spec.live]),
    ]
    result = run_suite("plan", [row], expectations, expected_rows=1, columns=tuple(row), key="live_collection")
    return verdict_of("plan", result, **{name: row[name] for name in ("cost_usd", "total_hours", "objects")})


def _row(ports: Ports, migration: Migration) -> dict[str, Any]:
    plan, options = migration.plan, migration.options
    high = plan.get("cost_usd_high")
    return {
        "objects": plan.get("objects"),
        "cost_usd": plan.get("cost_usd") if high is None else high,
        "budget_usd": backfill_budget_usd(options["budget_usd"]) if options.get("budget_usd") else _NO_LIMIT,
        "total_hours": plan.get("total_hours"),
        "deadline_hours": _hours_until(plan.get("starts_at"), options.get("deadline")),
        "overlong_unhandled": plan.get("overlong") if options.get("overlong") == "fail" else 0,
        "dimensions": migration.spec.space.dimensions,
        "distance": migration.spec.space.distance,
        "live_collection": ports.ledger.pin(migration.pin).collection,
    }


def _hours_until(start: Any, deadline: Any) -> float:
    if not (start and deadline):
        return _NO_LIMIT
    started = datetime.fromisoformat(str(start))
    day = date.fromisoformat(str(deadline))
    return (datetime(day.year, day.month, day.day, tzinfo=started.tzinfo) - started).total_seconds() / 3600
