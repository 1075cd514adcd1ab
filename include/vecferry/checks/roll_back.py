"""After a rollback: nothing served by the shadow since."""

from __future__ import annotations

from typing import Any

from vecferry.checks.expectations import expectation_classes, run_suite
from vecferry.checks.verdict_of import verdict_of
from vecferry.domain.lifecycle import Migration
from vecferry.domain.routing import Arm, Routing
from vecferry.domain.telemetry import total
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Ports

_COLUMNS = ("version", "percent", "shadow_served")


def judge(ports: Ports, migration: Migration) -> Verdict:
    """A row for the current routing version, which must be one of percent 0."""
    gxe = expectation_classes()

    routing = ports.ledger.snapshot(migration.pin).routing
    expectations = [
        gxe.ExpectColumnValuesToBeInSet(column="percent", value_set=[0]),
        gxe.ExpectColumnValuesToBeInSet(column="shadow_served", value_set=[0]),
    ]
    result = run_suite("roll_back", [_row(ports, routing)], expectations, expected_rows=1, columns=_COLUMNS, key="version")
    return verdict_of("roll_back", result)


def _row(ports: Ports, routing: Routing) -> dict[str, Any]:
    seen = total(o for o in ports.ledger.observations(routing.pin) if o.version == routing.version and o.arm is Arm.SHADOW)
    return {"version": routing.version, "percent": routing.percent, "shadow_served": seen.served if seen else 0}
