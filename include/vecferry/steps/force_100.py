"""A person sends all queries to the new model at once, because the old one ends before a percent could soak."""

from __future__ import annotations

from typing import Any

from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.routing import Mode
from vecferry.domain.stages import BY_NAME, STAGES
from vecferry.domain.verdicts import Outcome, Verdict
from vecferry.errors import BadInput
from vecferry.ports import Event, Ports
from vecferry.steps import sweeps
from vecferry.steps.accept import newest_verdict
from vecferry.steps.entrance import enter
from vecferry.steps.model_end import why_no_soak

FORCED = "forced_100"
_FORCED_OVER = "passed_over"
_MAY = frozenset({Phase.VALIDATED, Phase.SERVING})


def act(ports: Ports, migration_id: str, *, who: str, why: str) -> dict[str, Any]:
    """Only where the old model is gone, or ends before the soak does: no way around a canary. Idempotent.

    The percents that are passed over count as accepted by this person, and the report says so.
    """
    migration = ports.ledger.migration(migration_id)
    if not (who and why):
        raise BadInput("forcing 100% needs a person and a reason", where=migration_id, next_action="Give --who and --why.")
    if migration.phase is Phase.SERVING and migration.percent == 100:
        return _summary(migration, [])
    _refuse_too_early(migration)
    if not (because := why_no_soak(ports, migration)):
        raise BadInput(
            "the old model does not end before the percents have soaked",
            where=migration_id,
            next_action="Go on percent by percent; vecferry accept takes responsibility for a verdict.",
        )
    enter(ports, migration, "cut_over_100")
    sweeps.refuse_unless_followed(ports, migration)
    passed_over = _passed_over(ports, migration)
    _accept(ports, migration, passed_over, who=who, why=why)
    moved = ports.ledger.move(migration, Phase.SERVING, who=who, why=why, routing=(Mode.DUAL, 100))
    detail = {"passed_over": passed_over, "because": because}
    ports.ledger.record_event(Event(ports.clock.now(), who, FORCED, why, migration.pin, migration.id, detail))
    return _summary(moved, passed_over)


def _summary(migration: Migration, passed_over: list[str]) -> dict[str, Any]:
    return {"phase": migration.phase.value, "percent": migration.percent, "passed_over": passed_over}


def _refuse_too_early(migration: Migration) -> None:
    if migration.phase not in _MAY:
        raise BadInput(
            f"the shadow is not proven: the migration is {migration.phase.replace('_', ' ')}",
            where=migration.id,
            next_action="It takes parity, and the golden set or a person's acceptance: vecferry status shows what comes next.",
        )


def _passed_over(ports: Ports, migration: Migration) -> list[str]:
    """The percents below 100 that were asked for and never passed."""
    wanted = set(migration.options.get("percents") or ())
    below = [stage.name for stage in STAGES if stage.percent in wanted and stage.percent != 100]
    verdicts = {name: newest_verdict(ports, migration.id, name) for name in below}
    return [name for name, verdict in verdicts.items() if verdict is None or not verdict.passes]


def _accept(ports: Ports, migration: Migration, stages: list[str], *, who: str, why: str) -> None:
    """Before the move: a check that runs meanwhile must not take the jump for a failed canary."""
    for stage in stages:
        evidence = {_FORCED_OVER: True}
        verdict = Verdict(stage, Outcome.NO_DATA, "passed over: 100% was forced", evidence, accepted_by=who, accepted_why=why)
        ports.ledger.record_verdict(migration.id, verdict)


def was_passed_over(ports: Ports, migration: Migration, stage: str) -> bool:
    """Whether 100% followed on the acceptance, and the stage's own percent did not: a force that was interrupted before its
    move, or undone since, excuses no canary."""
    said = [
        at for at, verdict in ports.ledger.verdicts(migration.id) if verdict.stage == stage and _FORCED_OVER in verdict.evidence
    ]
    if not said:
        return False
    own = [r for r in ports.ledger.routings(migration.pin) if r.migration_id == migration.id]
    forced = any(r.percent == 100 and r.published_at and r.published_at >= said[-1] for r in own)
    served = any(r.percent == BY_NAME[stage].percent and r.published_at and r.published_at > said[-1] for r in own)
    return forced and not served
