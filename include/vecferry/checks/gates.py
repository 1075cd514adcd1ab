"""Which suite judges which stage; a gate's rows come from store and ledger, never from the act."""

from __future__ import annotations

from collections.abc import Callable

from vecferry.checks import (
    backfill,
    check_deprecation,
    create_shadow,
    cut_over,
    enable_dual_write,
    plan,
    retire,
    validate_golden_set,
    verify_parity,
)
from vecferry.domain.lifecycle import Migration
from vecferry.domain.request import MigrationRequest
from vecferry.domain.stages import BY_NAME
from vecferry.domain.verdicts import Verdict
from vecferry.ports import Ports

_GATES: dict[str, Callable[[Ports, Migration], Verdict]] = {
    "plan": plan.judge,
    "create_shadow": create_shadow.judge,
    "enable_dual_write": enable_dual_write.judge,
    "backfill": backfill.judge,
    "verify_parity": verify_parity.judge,
    "validate_golden_set": validate_golden_set.judge,
    "retire": retire.judge,
}


def judge(stage: str, ports: Ports, migration: Migration) -> Verdict:
    if BY_NAME[stage].percent is not None:
        return cut_over.judge(stage, ports, migration)
    return _GATES[stage](ports, migration)


def judge_request(ports: Ports, request: MigrationRequest) -> Verdict:
    """The gate before a migration exists."""
    return check_deprecation.judge(ports, request)
