"""A named person takes responsibility for a verdict that is not PASS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vecferry.domain.verdicts import Verdict
from vecferry.errors import BadInput, NotFound
from vecferry.ports import Event, Ports


def act(ports: Ports, migration_id: str, stage: str, *, who: str, why: str) -> dict[str, Any]:
    """Marks the newest verdict of the stage; it stands in the report, with name and reason."""
    migration = ports.ledger.migration(migration_id)
    if not (who and why):
        raise BadInput("accepting needs a person and a reason", where=stage, next_action="Give --who and --why.")
    verdict = newest_verdict(ports, migration_id, stage)
    if verdict is None:
        raise NotFound(f"{stage} has no verdict yet", where=migration_id, next_action="Run the stage first.")
    if verdict.passes:
        return verdict.as_dict()
    accepted = replace(verdict, accepted_by=who, accepted_why=why)
    ports.ledger.record_verdict(migration_id, accepted)
    ports.ledger.record_event(
        Event(ports.clock.now(), who, "accepted", why, migration.pin, migration_id, {"stage": stage, **verdict.as_dict()})
    )
    return accepted.as_dict()


def newest_verdict(ports: Ports, migration_id: str, stage: str) -> Verdict | None:
    found = [verdict for _, verdict in ports.ledger.verdicts(migration_id) if verdict.stage == stage]
    return found[-1] if found else None
