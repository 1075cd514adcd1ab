"""Any stage's ready and check by its name, those off the forward road included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vecferry.domain.request import MigrationRequest
from vecferry.domain.stages import EXTRA

if TYPE_CHECKING:
    from vecferry.domain.verdicts import Verdict
    from vecferry.ports import Ports
    from vecferry.steps.readiness import Ready


def ready(stage: str, ports: Ports, subject: MigrationRequest | str) -> Ready:
    from vecferry.steps import discard, roll_back, stage_runner

    if stage not in EXTRA:
        return stage_runner.ready(stage, ports, subject)
    if stage == "roll_back":
        return roll_back.ready(ports, str(subject))
    return discard.ready(ports, str(subject))


def check(stage: str, ports: Ports, subject: MigrationRequest | str) -> Verdict:
    """A rollback's verdict is recorded like any other; it moves no phase."""
    from vecferry.checks import roll_back
    from vecferry.steps import stage_runner

    if stage not in EXTRA:
        return stage_runner.check(stage, ports, subject)
    verdict = roll_back.judge(ports, ports.ledger.migration(str(subject)))
    ports.ledger.record_verdict(str(subject), verdict)
    return verdict
