"""Any stage by its name: act, ready, check. What Airflow's tasks and ``vecferry step`` both call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.request import MigrationRequest
from vecferry.domain.stages import EVERY, STAGES, Stage
from vecferry.domain.verdicts import Verdict
from vecferry.errors import BadInput
from vecferry.ports import Ports
from vecferry.steps import (
    backfill,
    check_deprecation,
    create_shadow,
    cut_over,
    discard,
    enable_dual_write,
    entrance,
    plan,
    retire,
    roll_back,
    validate_golden_set,
    verify_parity,
)
from vecferry.steps.accept import newest_verdict
from vecferry.steps.model_drift import refuse_a_changed_model
from vecferry.steps.readiness import Ready
from vecferry.steps.standing import refuse_if_undone
from vecferry.steps.tenants import awake, settle

Subject = MigrationRequest | str
"""A request before the migration exists (check_deprecation, plan), its id afterwards."""


@dataclass(frozen=True)
class Parts:
    """What a stage runs; ``act`` of one off the road takes ``who`` and ``why`` too. Its check is in ``checks.gates``."""

    act: Callable[..., dict[str, Any]]
    ready: Callable[..., Ready]


_PARTS: dict[str, Parts] = {
    "check_deprecation": Parts(check_deprecation.act, check_deprecation.ready),
    "plan": Parts(plan.act, plan.ready),
    "create_shadow": Parts(create_shadow.act, create_shadow.ready),
    "enable_dual_write": Parts(enable_dual_write.act, enable_dual_write.ready),
    "backfill": Parts(backfill.run_all, backfill.ready),
    "verify_parity": Parts(verify_parity.act, verify_parity.ready),
    "validate_golden_set": Parts(validate_golden_set.act, validate_golden_set.ready),
    **{
        stage.name: Parts(partial(cut_over.act, stage=stage.name), partial(cut_over.ready, stage=stage.name))
        for stage in STAGES
        if stage.percent is not None
    },
    "retire": Parts(retire.act, retire.ready),
    "roll_back": Parts(roll_back.act, roll_back.ready),
    "discard": Parts(discard.act, discard.ready),
}
_BUILDS_ON_THE_MODEL = frozenset({"create_shadow", "enable_dual_write", "backfill", "verify_parity", "retire"}) | {
    stage.name for stage in STAGES if stage.percent is not None
}
_OF_A_REQUEST = frozenset({"check_deprecation", "plan"})


def stage_named(name: str) -> Stage:
    if name not in EVERY:
        raise BadInput(f"there is no stage {name!r}", where="stages", next_action=f"There are: {', '.join(EVERY)}.")
    return EVERY[name]


def act(stage: str, ports: Ports, subject: Subject, *, who: str = "", why: str = "") -> dict[str, Any]:
    """Runs the stage's act; may be run again at any time. Returns a small JSON summary.

    ``who`` and ``why`` are for the stages off the road, which are a person's decision.
    """
    wanted, about = stage_named(stage), _about(stage, subject)
    if not wanted.verb:
        return _gated(stage, ports, about) if isinstance(about, str) else _PARTS[stage].act(ports, about)
    if not (who and why):
        raise BadInput(
            f"{stage} needs a person and a reason", where=str(about), next_action=f"vecferry {wanted.verb} PIN --why …"
        )
    return _PARTS[stage].act(ports, about, who=who, why=why)


def _gated(stage: str, ports: Ports, migration_id: str) -> dict[str, Any]:
    migration = ports.ledger.migration(migration_id)
    with awake(ports, migration) as woken:
        entrance.enter(woken, migration, stage)
    if stage in _BUILDS_ON_THE_MODEL and not migration.ended:
        refuse_a_changed_model(ports, migration)
    with awake(ports, migration) as woken:
        done = _PARTS[stage].act(woken, migration_id)
    entrance.leave(ports, migration_id)
    if stage == "retire":
        settle(ports, ports.ledger.migration(migration_id))
    return done


def ready(stage: str, ports: Ports, subject: Subject) -> Ready:
    """Whether the world confirms the act by now."""
    stage_named(stage)
    return _PARTS[stage].ready(ports, _about(stage, subject))


def check(stage: str, ports: Ports, subject: Subject) -> Verdict:
    """Judges rows read back from store and ledger, records the verdict, and moves the phase where this stage proves it.

    Does not raise for a verdict that does not pass: the caller decides what a failed gate does.
    """
    from vecferry.checks import gates

    wanted = stage_named(stage)
    if isinstance(subject, MigrationRequest) and stage == "check_deprecation":
        return gates.judge_request(ports, subject)
    migration = _migration(ports, subject)
    if not wanted.verb:
        refuse_if_undone(stage, migration)
        with awake(ports, migration) as woken:
            entrance.enter(woken, migration, stage)
    before = newest_verdict(ports, migration.id, stage)
    if migration.phase is Phase.RETIRED and stage != "retire" and before is not None:
        return before  # nothing is copied, asked or judged any more: what was found then stands
    with awake(ports, migration) as woken:
        verdict = gates.judge(stage, woken, migration)
    if before is not None and _still_accepted(wanted, before, verdict):
        verdict = replace(verdict, accepted_by=before.accepted_by, accepted_why=before.accepted_why)
    ports.ledger.record_verdict(migration.id, verdict)
    if verdict.passes:
        _move(ports, wanted, ports.ledger.migration(migration.id), verdict)
    return verdict


def _still_accepted(stage: Stage, before: Verdict, now: Verdict) -> bool:
    """What a person took responsibility for, found again; a second rollback is another matter than the first."""
    return bool(before.accepted_by) and not stage.verb and not now.passes and now.outcome is before.outcome


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


def _about(stage: str, subject: Subject) -> Subject:
    if isinstance(subject, MigrationRequest) and stage not in _OF_A_REQUEST:
        raise BadInput("this stage needs a migration's id", where=subject.collection, next_action="Run plan first.")
    return subject
