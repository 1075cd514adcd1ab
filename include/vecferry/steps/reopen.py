"""The only way out of a rollback but ``discard``: a person, a reason, and a parity pass younger than the rollback."""

from __future__ import annotations

from typing import Any

from vecferry.domain.lifecycle import Phase
from vecferry.domain.request import PERCENTS
from vecferry.domain.routing import Mode
from vecferry.errors import BadInput, NeedsPerson
from vecferry.ports import Ports
from vecferry.steps import sweeps
from vecferry.steps.verify_parity import CLEAN_PASS, restarted_since


def act(ports: Ports, migration_id: str, *, who: str, why: str) -> dict[str, Any]:
    migration = ports.ledger.migration(migration_id)
    if migration.phase is not Phase.ROLLED_BACK:
        raise BadInput(
            f"only a migration that was rolled back can be reopened; this one is {migration.phase}",
            where=migration_id,
            next_action="vecferry status shows where it stands.",
        )
    if not (who and why):
        raise BadInput("reopening needs a person and a reason", where=migration_id, next_action="Give --who and --why.")
    passes = ports.ledger.events(migration_id=migration_id, what=CLEAN_PASS)
    verified = max((e.at for e in passes), default=None)
    rolled_back = max(r.published_at for r in ports.ledger.routings(migration.pin) if r.published_at)
    if verified is None or verified < rolled_back:
        raise NeedsPerson(
            "there is no clean parity pass younger than the rollback",
            where=migration_id,
            next_action=f"Run: vecferry verify {migration.pin}",
        )
    if restarted_since(ports, migration):
        raise NeedsPerson(
            "Weaviate may have restarted since the newest clean parity pass",
            where=migration_id,
            next_action=f"Run: vecferry verify {migration.pin} --repair",
        )
    sweeps.refuse_unless_followed(ports, migration)
    moved = ports.ledger.move(migration, Phase.SERVING, who=who, why=why, routing=(Mode.DUAL, PERCENTS[0]))
    return {"phase": moved.phase.value, "percent": moved.percent}
