"""Telemetry of one percent: split, errors, fallbacks, latency, empty answers, and golden queries through the route."""

from __future__ import annotations

from typing import Any

from vecferry.checks.expectations import expectation_classes, run_suite
from vecferry.checks.verdict_of import with_judgement
from vecferry.domain.lifecycle import Migration
from vecferry.domain.routing import Arm
from vecferry.domain.telemetry import Observation, percentile_ms
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Ports
from vecferry.steps import cut_over
from vecferry.steps.replay import replay

_COLUMNS = ("arm", "queries", "served", "fallbacks", "errors", "empty", "p95_ms")


def judge(stage: str, ports: Ports, migration: Migration) -> Verdict:
    gxe = expectation_classes()

    replay(ports, migration, stage)
    routing = cut_over.routing_of(ports, migration, stage)
    seen = cut_over.observed(ports, migration, routing) if routing else {}
    rows = [_row(arm, observation) for arm, observation in seen.items() if observation.queries]
    expectations = [
        gxe.ExpectColumnValuesToBeUnique(column="arm"),
        gxe.ExpectColumnDistinctValuesToContainSet(column="arm", value_set=[Arm.SHADOW.value]),
        gxe.ExpectColumnValuesToBeBetween(column="queries", min_value=1),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="queries", column_B="served", or_equal=True),
    ]
    result = run_suite(stage, rows, expectations, expected_rows=None, min_rows=1, columns=_COLUMNS, key="arm")
    return with_judgement(cut_over.judge(ports, migration.id, stage), result)


def _row(arm: Arm, seen: Observation) -> dict[str, Any]:
    return {
        "arm": arm.value,
        "queries": seen.queries,
        "served": seen.served,
        "fallbacks": seen.fallbacks,
        "errors": seen.errors,
        "empty": seen.empty,
        "p95_ms": percentile_ms(seen.latency, 0.95) or 0.0,
    }
