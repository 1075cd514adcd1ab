"""The routers of a pin by their leases, and what only a person can know about them: that one is dead, that a restored
ledger is to count."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from vecferry.domain.lifecycle import Migration, understands
from vecferry.domain.pins import Pin
from vecferry.domain.routing import Lease
from vecferry.errors import BadInput
from vecferry.ports import Event, Ports
from vecferry.protocol import restored


def look(ports: Ports, pin: Pin) -> list[dict[str, Any]]:
    """JSON-able, one row a lease; those that ended longest ago last."""
    snapshot = ports.ledger.snapshot(pin.name)
    leases, now = ports.ledger.leases(pin.name)
    newest_first = sorted(leases, key=lambda lease: lease.ends_at, reverse=True)
    return [_row(lease, now, snapshot.routing.version, snapshot.migration) for lease in newest_first]


def too_old(ports: Ports, migration: Migration) -> list[Lease]:
    """Routers whose leases still hold, and which the migration's protocol shuts out (rule 18)."""
    leases, now = ports.ledger.leases(migration.pin)
    return [one for one in leases if one.ends_at > now and not understands(one.protocol_version, migration)]


def dismiss(ports: Ports, pin: Pin, router_id: str, *, who: str, why: str) -> dict[str, Any]:
    """Ends the lease now; a barrier over it still waits Q. Returns the router's row as it was, and until when it might live."""
    _refuse_without_a_reason(pin, who, why)
    ended = ports.ledger.dismiss(router_id, pin=pin.name, who=who, why=why)
    snapshot = ports.ledger.snapshot(pin.name)
    return _row(ended, ports.ledger.now(), snapshot.routing.version, snapshot.migration)


def accept_restored(ports: Ports, pin: Pin, *, who: str, why: str) -> dict[str, Any]:
    """A person's word that the restored ledger is the truth from now on. Routers go on with their next poll; stages that
    serve or retire ask for a parity pass that is younger than this word."""
    _refuse_without_a_reason(pin, who, why)
    found = restored.standing(ports.ledger, pin.name)
    if found is None:
        raise BadInput(
            "nobody has found this ledger to be restored", where=f"pin {pin.name}", next_action="vecferry doctor looks again."
        )
    ports.ledger.record_event(Event(ports.ledger.now(), who, restored.ACCEPTED, why, pin.name))
    return {"pin": pin.name, "found_by": found.who, "found": found.why, "accepted_by": who}


def _row(lease: Lease, now: datetime, version: int, migration: Migration | None) -> dict[str, Any]:
    return {
        "router": lease.router_id,
        "where": lease.where,
        "alive": lease.ends_at > now,
        "acknowledged_version": lease.acknowledged_version,
        "up_to_date": lease.acknowledged_version >= version,
        "expires_at": lease.expires_at.isoformat(),
        "expires_in_s": round((lease.expires_at - now).total_seconds(), 1),
        "dismissed_at": lease.dismissed_at.isoformat() if lease.dismissed_at else None,
        "protocol_version": lease.protocol_version,
        "may_write": migration is None or understands(lease.protocol_version, migration),
    }


def _refuse_without_a_reason(pin: Pin, who: str, why: str) -> None:
    if not (who and why):
        raise BadInput("this needs a person and a reason", where=f"pin {pin.name}", next_action="Give --who and --why.")
