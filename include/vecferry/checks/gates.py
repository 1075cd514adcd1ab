"""Which suite judges which stage; a gate's rows come from store and ledger, never from the act."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from vecferry.checks import (
    backfill,
    check_deprecation,
    create_shadow,
    cut_over,
    discard,
    enable_dual_write,
    plan,
    retire,
    roll_back,
    validate_golden_set,
    verify_parity,
)
from vecferry.domain.lifecycle import Migration
from vecferry.domain.request import MigrationRequest
from vecferry.domain.stages import STAGES
from vecferry.domain.verdicts import Verdict
from vecferry.errors import BadInput
from vecferry.ports import Ports

_GATES: dict[str, Callable[[Ports, Migration], Verdict]] = {
    "plan": plan.judge,
    "create_shadow": create_shadow.judge,
    "enable_dual_write": enable_dual_write.judge,
    "backfill": backfill.judge,
    "verify_parity": verify_parity.judge,
    "validate_golden_set": validate_golden_set.judge,
    **{stage.name: partial(cut_over.judge, stage.name) for stage in STAGES if stage.percent is not None},
    "retire": retire.judge,
    "roll_back": roll_back.judge,
    "discard": discard.judge,
}


def judge(stage: str, ports: Ports, migration: Migration) -> Verdict:
    if stage not in _GATES:
        raise BadInput(
            f"{stage} has no check", where=migration.id, next_action="It is done when its routers have acknowledged."
        )
    return _GATES[stage](ports, migration)


def judge_request(ports: Ports, request: MigrationRequest) -> Verdict:
    """The gate before a migration exists."""
    return check_deprecation.judge(ports, request)
