"""What a sensor answers: whether the world confirms an act, or what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from vecferry.domain.lifecycle import Migration, understands
from vecferry.domain.routing import Lease, barrier
from vecferry.ports import Event, Ports


@dataclass(frozen=True)
class Ready:
    done: bool
    waiting_for: str = ""


YES = Ready(True)
_WORTH_A_WORD_S = 120.0
_SILENT_S = 10.0
"""A router that lives acknowledges within a poll, and what it has under way ends within a client's patience."""


def acknowledged(ports: Ports, migration: Migration, version: int | None = None) -> Ready:
    """Every router has acknowledged the routing version (the current one if not given), or expired at least Q ago."""
    if version is None:
        version = ports.ledger.snapshot(migration.pin).routing.version
    leases, now = ports.ledger.leases(migration.pin)
    result = barrier(leases, version, now=now, quarantine_s=ports.timings.quarantine_s)
    if result.passed:
        return YES
    waits = f"{len(result.waiting_for)} routers to acknowledge routing version {version}: {result.waiting_for[0]}"
    return Ready(False, waits + _way_out(ports, migration, result.waiting[0], version, now))


def _way_out(ports: Ports, migration: Migration, lease: Lease, version: int, now: datetime) -> str:
    """What a person can do about a router that is waited for; seconds during a migration need no person."""
    left_s = max(0.0, (lease.ends_at - now).total_seconds())
    if not understands(lease.protocol_version, migration):
        speaks = f"It speaks protocol {lease.protocol_version}, the migration {migration.protocol_version}"
        return f". {speaks}: upgrade vecferry there, or wait {left_s:.0f} s until it may only read"
    if lease.dismissed_at is not None or left_s < _WORTH_A_WORD_S or _silent_s(ports, lease, version, now) < _SILENT_S:
        return ""
    dismiss = f"vecferry routers {migration.pin} --dismiss {lease.router_id} --why …"
    return f". If that process is certainly dead: {dismiss}; else in {left_s:.0f} s by itself"


def _silent_s(ports: Ports, lease: Lease, version: int, now: datetime) -> float:
    """For how long it could have been heard of: since its last renewal, and since there has been something to acknowledge.

    While no migration is active a router renews every 20 minutes, so its silence before that says nothing.
    """
    renewed_at = lease.expires_at - timedelta(seconds=lease.lease_s)
    published = next((r.published_at for r in ports.ledger.routings(lease.pin) if r.version == version), None)
    return (now - max(renewed_at, published or renewed_at)).total_seconds()


def first_version_of(ports: Ports, migration: Migration) -> int:
    """The routing version with which dual-writing began."""
    versions = [r.version for r in ports.ledger.routings(migration.pin) if r.migration_id == migration.id]
    return min(versions)


def recorded(ports: Ports, migration: Migration, what: str, why: str, **detail: object) -> None:
    """One event of this migration."""
    ports.ledger.record_event(
        Event(ports.clock.now(), f"vecferry:{migration.id}", what, why, migration.pin, migration.id, detail)
    )
