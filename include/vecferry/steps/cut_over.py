"""A share of the queries goes to the shadow; the canary says whether more may."""

from __future__ import annotations

from typing import Any

from vecferry.domain.canary import judge_canary
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.routing import Arm, Mode, Routing, bucket_of
from vecferry.domain.stages import BY_NAME
from vecferry.domain.telemetry import Observation, total
from vecferry.domain.verdicts import Outcome, Verdict
from vecferry.ports import Ports
from vecferry.steps import force_100, sweeps
from vecferry.steps.model_end import refuse_a_soak_past_the_end
from vecferry.steps.readiness import YES, Ready, acknowledged
from vecferry.steps.standing import has_work, refuse_if_paused


def act(ports: Ports, migration_id: str, stage: str) -> dict[str, Any]:
    """The next routing version; never lowers a percent, never leaves a rollback.

    Refused where the old model would end before the soak does: a percent is served on trial, and a trial needs a way back.
    """
    migration = ports.ledger.migration(migration_id)
    percent = BY_NAME[stage].percent
    assert percent is not None
    if has_work(stage, migration):
        refuse_if_paused(migration)
        refuse_a_soak_past_the_end(ports, migration, stage)
        sweeps.refuse_unless_followed(ports, migration)
        migration = ports.ledger.move(
            migration,
            Phase.SERVING,
            who=f"vecferry:{migration_id}",
            why=f"the stages before {stage} passed",
            routing=(Mode.DUAL, percent),
        )
    return {"percent": migration.percent, "phase": migration.phase.value}


def ready(ports: Ports, migration_id: str, stage: str) -> Ready:
    """Acknowledged; soaked; enough queries seen on the shadow. What is behind already is not waited for again."""
    migration = ports.ledger.migration(migration_id)
    routing = routing_of(ports, migration, stage)
    if routing is None or is_behind(ports, migration, routing):
        return YES
    answer = acknowledged(ports, migration, routing.version)
    if not answer.done or routing.published_at is None:
        return answer
    if why := sweeps.why_not_followed(ports, migration):
        return Ready(False, why)
    soaked_s = (ports.ledger.now() - routing.published_at).total_seconds()
    wanted_s = 60 * float(migration.options.get("soak_minutes", 0))
    if soaked_s < wanted_s:
        return Ready(False, f"the soak: {soaked_s / 60:.1f} of {wanted_s / 60:.1f} minutes")
    seen = observed(ports, migration, routing).get(Arm.SHADOW)
    count = seen.queries if seen else 0
    needed = ports.gates.canary_min_queries
    return YES if count >= needed else Ready(False, f"queries on the shadow: {count} of {needed}")


def judge(ports: Ports, migration_id: str, stage: str) -> Verdict:
    """Telemetry of this stage's routing version, and the golden queries replayed through the route."""
    migration = ports.ledger.migration(migration_id)
    percent = BY_NAME[stage].percent or 0
    routing = routing_of(ports, migration, stage)
    if force_100.was_passed_over(ports, migration, stage):
        return Verdict(stage, Outcome.NO_DATA, "passed over: 100% was forced", {})
    seen = observed(ports, migration, routing) if routing else {}
    rows = ports.ledger.measurements(migration_id, stage)
    differences = [row["difference"] for row in rows] or None
    return judge_canary(stage, percent, seen, differences, ports.gates, baseline=_baseline(ports, migration))


def routing_of(ports: Ports, migration: Migration, stage: str) -> Routing | None:
    """The newest routing version with this stage's percent."""
    percent = BY_NAME[stage].percent
    own = [r for r in ports.ledger.routings(migration.pin) if r.migration_id == migration.id and r.mode is Mode.DUAL]
    found = [r for r in own if r.percent == percent]
    return found[-1] if found else None


def is_behind(ports: Ports, migration: Migration, routing: Routing) -> bool:
    """Whether a later version has replaced it: its verdict stands, there is nothing more to see."""
    return ports.ledger.snapshot(migration.pin).routing.version > routing.version


def observed(ports: Ports, migration: Migration, routing: Routing) -> dict[Arm, Observation]:
    found: dict[Arm, Observation] = {}
    for arm in Arm:
        summed = total(o for o in ports.ledger.observations(migration.pin) if o.version == routing.version and o.arm is arm)
        if summed is not None:
            found[arm] = summed
    return found


def _baseline(ports: Ports, migration: Migration) -> Observation | None:
    """Live's own answers since the migration began to serve: at 100% live is asked nothing any more."""
    versions = {r.version for r in ports.ledger.routings(migration.pin) if r.migration_id == migration.id}
    return total(o for o in ports.ledger.observations(migration.pin) if o.version in versions and o.arm is Arm.LIVE)


def key_on(arm: Arm, migration_id: str, percent: int) -> str:
    """A key that this percent routes to the arm, for replays."""
    for number in range(100_000):
        key = f"replay-{number}"
        on_shadow = bucket_of(migration_id, key) < percent * 100
        if on_shadow is (arm is Arm.SHADOW):
            return key
    raise ValueError(f"no key reaches {arm} at {percent}%")
