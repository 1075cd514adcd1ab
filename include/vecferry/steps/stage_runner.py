"""Any stage by its name: act, ready, check. What Airflow's tasks and ``vecferry step`` both call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.request import MigrationRequest
from vecferry.domain.stages import BY_NAME, Stage
from vecferry.domain.verdicts import Verdict
from vecferry.errors import BadInput
from vecferry.ports import Ports
from vecferry.steps import (
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
from vecferry.steps.accept import newest_verdict
from vecferry.steps.readiness import Ready
from vecferry.steps.standing import refuse_if_undone

Subject = MigrationRequest | str
"""A request before the migration exists (check_deprecation, plan), its id afterwards."""

_ACTS: dict[str, Callable[..., dict[str, Any]]] = {
    "check_deprecation": check_deprecation.act,
    "plan": plan.act,
    "create_shadow": create_shadow.act,
    "enable_dual_write": enable_dual_write.act,
    "backfill": backfill.run_all,
    "verify_parity": verify_parity.act,
    "validate_golden_set": validate_golden_set.act,
    "retire": retire.act,
}
_READY: dict[str, Callable[..., Ready]] = {
    "check_deprecation": check_deprecation.ready,
    "plan": plan.ready,
    "create_shadow": create_shadow.ready,
    "enable_dual_write": enable_dual_write.ready,
    "backfill": backfill.ready,
    "verify_parity": verify_parity.ready,
    "validate_golden_set": validate_golden_set.ready,
    "retire": retire.ready,
}


def stage_named(name: str) -> Stage:
    if name not in BY_NAME:
        raise BadInput(f"there is no stage {name!r}", where="stages", next_action=f"There are: {', '.join(BY_NAME)}.")
    return BY_NAME[name]


def act(stage: str, ports: Ports, subject: Subject) -> dict[str, Any]:
    """Runs the stage's act; may be run again at any time. Returns a small JSON summary."""
    if stage_named(stage).percent is not None:
        return cut_over.act(ports, _id(subject), stage)
    return _ACTS[stage](ports, subject)


def ready(stage: str, ports: Ports, subject: Subject) -> Ready:
    """Whether the world confirms the act by now."""
    if stage_named(stage).percent is not None:
        return cut_over.ready(ports, _id(subject), stage)
    return _READY[stage](ports, subject)


def check(stage: str, ports: Ports, subject: Subject) -> Verdict:
    """Judges rows read back from store and ledger, records the verdict, and moves the phase where this stage proves it.

    Does not raise for a verdict that does not pass: the caller decides what a failed gate does.
    """
    from vecferry.checks import gates

    wanted = stage_named(stage)
    if isinstance(subject, MigrationRequest) and stage == "check_deprecation":
        return gates.judge_request(ports, subject)
    migration = _migration(ports, subject)
    refuse_if_undone(stage, migration)
    before = newest_verdict(ports, migration.id, stage)
    if migration.phase is Phase.RETIRED and stage != "retire" and before is not None:
        return before  # nothing is copied, asked or judged any more: what was found then stands
    verdict = gates.judge(stage, ports, migration)
    if before is not None and before.accepted_by and not verdict.passes and verdict.outcome is before.outcome:
        verdict = replace(verdict, accepted_by=before.accepted_by, accepted_why=before.accepted_why)
    ports.ledger.record_verdict(migration.id, verdict)
    if verdict.passes:
        _move(ports, wanted, ports.ledger.migration(migration.id), verdict)
    return verdict


def _move(ports: Ports, stage: Stage, migration: Migration, verdict: Verdict) -> None:
    if stage.moved_by == "check" and stage.gives is not None and migration.phase in stage.needs:
        why = f"{stage.name}: {verdict.outcome.value}" + (f", accepted by {verdict.accepted_by}" if verdict.accepted_by else "")
        ports.ledger.move(migration, stage.gives, who=f"vecferry:{migration.id}", why=why)


def _migration(ports: Ports, subject: Subject) -> Migration:
    if isinstance(subject, str):
        return ports.ledger.migration(subject)
    active = ports.ledger.active_migration(subject.collection)
    if active is None:
        raise BadInput("no migration is planned", where=subject.collection, next_action="Run plan first.")
    return active


def _id(subject: Subject) -> str:
    if not isinstance(subject, str):
        raise BadInput("this stage needs a migration's id", where=subject.collection, next_action="Run plan first.")
    return subject
