"""What a sensor answers: whether the world confirms an act, or what it waits for."""

from __future__ import annotations

from dataclasses import dataclass

from vecferry.domain.lifecycle import Migration
from vecferry.domain.routing import barrier
from vecferry.ports import Event, Ports


@dataclass(frozen=True)
class Ready:
    done: bool
    waiting_for: str = ""


YES = Ready(True)


def acknowledged(ports: Ports, migration: Migration, version: int | None = None) -> Ready:
    """Every router has acknowledged the routing version (the current one if not given), or expired at least Q ago."""
    if version is None:
        version = ports.ledger.snapshot(migration.pin).routing.version
    leases, now = ports.ledger.leases(migration.pin)
    result = barrier(leases, version, now=now, quarantine_s=ports.timings.quarantine_s)
    if result.passed:
        return YES
    return Ready(False, f"{len(result.waiting_for)} routers to acknowledge routing version {version}: {result.waiting_for[0]}")


def first_version_of(ports: Ports, migration: Migration) -> int:
    """The routing version with which dual-writing began."""
    versions = [r.version for r in ports.ledger.routings(migration.pin) if r.migration_id == migration.id]
    return min(versions)


def recorded(ports: Ports, migration: Migration, what: str, why: str, **detail: object) -> None:
    """One event of this migration."""
    ports.ledger.record_event(
        Event(ports.clock.now(), f"vecferry:{migration.id}", what, why, migration.pin, migration.id, detail)
    )
