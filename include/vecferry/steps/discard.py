"""Giving up: you lose compute, not customers. Dual-write off → acknowledged → owners fenced → the shadow dropped."""

from __future__ import annotations

from typing import Any

from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.routing import Mode
from vecferry.errors import BadInput, NotWritten, Retryable, UnknownOutcome, VecferryError
from vecferry.ports import Ports
from vecferry.steps import live_before
from vecferry.steps.create_shadow import is_ours
from vecferry.steps.readiness import Ready, acknowledged, recorded

_PAGE = 1_000
_DROPPED = "shadow_dropped"


def act(ports: Ports, migration_id: str, *, who: str, why: str) -> dict[str, Any]:
    """From percent 0 only; may be run again after a crash at any point. Waits for what could still write, then drops."""
    migration = ports.ledger.migration(migration_id)
    if migration.phase is Phase.SERVING:
        raise BadInput(
            f"{migration.percent}% of the queries are served by the shadow",
            where=migration_id,
            next_action=f"Run first: vecferry rollback {migration.pin}",
        )
    if migration.phase is not Phase.DISCARDED:
        migration = ports.ledger.move(migration, Phase.DISCARDED, who=who, why=why, routing=(Mode.LIVE_ONLY, 0))
    try:
        _wait_for_writers(ports, migration)
        live_before.note(ports, migration)
        _drop(ports, migration)
    except (Retryable, NotWritten, UnknownOutcome) as error:
        raise _unfinished(migration, error) from error
    return {"phase": migration.phase.value, "dropped": migration.spec.shadow}


def ready(ports: Ports, migration_id: str) -> Ready:
    return acknowledged(ports, ports.ledger.migration(migration_id))


def still_to_drop(ports: Ports, pin: str) -> list[Migration]:
    """Discarded migrations whose shadow may still stand: the move is the first effect, the drop the last. Newest first."""
    discarded = [migration for migration in ports.ledger.migrations(pin) if migration.phase is Phase.DISCARDED]
    return [migration for migration in discarded if not _is_dropped(ports, migration)]


def _is_dropped(ports: Ports, migration: Migration) -> bool:
    return any(event.what == _DROPPED for event in ports.ledger.events(migration_id=migration.id))


def _unfinished(migration: Migration, error: VecferryError) -> Retryable:
    return Retryable(
        f"shadow {migration.spec.shadow} is still to be dropped: {error.what}",
        where=migration.id,
        next_action=f"Run again: vecferry discard {migration.pin} --why …",
    )


def _wait_for_writers(ports: Ports, migration: Migration) -> None:
    """Routers acknowledge; then owners of rows fence themselves (T_live) and what they sent lands or never will (Q).

    An old copier that outlived the drop would write into a recreated collection of that name.
    """
    version = max(r.version for r in ports.ledger.routings(migration.pin) if r.migration_id == migration.id)
    quiet_s = ports.timings.row_deadline_s + ports.timings.quarantine_s
    deadline = ports.clock.monotonic() + ports.timings.lease_s + 2 * quiet_s
    while not (answer := acknowledged(ports, migration, version)).done:
        if ports.clock.monotonic() > deadline:
            raise Retryable(answer.waiting_for, where=migration.id)
        ports.clock.sleep(ports.timings.poll_s)
    ports.clock.sleep(quiet_s)


def _drop(ports: Ports, migration: Migration) -> None:
    shadow = migration.spec.shadow
    if shadow in ports.store.collections() and is_ours(ports.store.schema(shadow), migration):
        ports.store.drop(shadow)
    while rows := ports.ledger.rows(migration.id, limit=_PAGE):  # nobody's any more: there is no shadow to be behind
        ports.ledger.close_rows(rows)
    if not _is_dropped(ports, migration):
        recorded(ports, migration, _DROPPED, "nothing of the migration is left in the store", shadow=shadow)
