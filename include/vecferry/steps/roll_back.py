"""Going back is one ledger write: a routing version with percent 0. Dual-write and the journal stay on (rule 16)."""

from __future__ import annotations

from typing import Any

from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.routing import Mode
from vecferry.errors import Conflict, NeedsPerson
from vecferry.ports import Ports
from vecferry.steps.readiness import Ready, acknowledged


def act(ports: Ports, migration_id: str, *, who: str, why: str, force: bool = False) -> dict[str, Any]:
    """Idempotent. Nothing to undo before the first percent; impossible after ``retire``, and said so.

    Refused where the old model was declared gone. ``force`` takes that back, at a person's word that it answers again: what
    was written meanwhile has no vector in live, and its searches miss it.
    """
    if force and ports.ledger.migration(migration_id).live_model_gone:
        ports.ledger.set_live_model_gone(migration_id, False, who=who, why=why)
    while True:
        migration = ports.ledger.migration(migration_id)
        if migration.phase is not Phase.SERVING:
            return _nothing_to_do(ports, migration)
        try:
            moved = ports.ledger.move(migration, Phase.ROLLED_BACK, who=who, why=why, routing=(Mode.DUAL, 0))
        except Conflict:
            continue  # somebody raised the percent at the same moment: back from there
        version = ports.ledger.snapshot(migration.pin).routing.version
        return {"phase": moved.phase.value, "percent": 0, "version": version, "from_percent": migration.percent}


def ready(ports: Ports, migration_id: str) -> Ready:
    return acknowledged(ports, ports.ledger.migration(migration_id))


def _nothing_to_do(ports: Ports, migration: Migration) -> dict[str, Any]:
    if migration.phase is Phase.RETIRED:
        raise NeedsPerson(
            "authority has moved; rollback ended with retire",
            where=migration.id,
            next_action="Start a migration back to the old model.",
        )
    version = ports.ledger.snapshot(migration.pin).routing.version
    return {"phase": migration.phase.value, "percent": 0, "version": version, "from_percent": 0}
