"""Routers' leases in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.engine import RowMapping

from vecferry.adapters.ledger import refusals
from vecferry.adapters.ledger.database_clock import now, seconds_from_now
from vecferry.adapters.ledger.tables import routers
from vecferry.domain.routing import Lease, Routing

_KEPT_S = 24 * 3600.0

_PLAIN = ("router_id", "pin", "expires_at", "lease_s", "acknowledged_version", "protocol_version", "dismissed_at")


def leases_of(connection: Connection, pin: str) -> list[Lease]:
    """Those that have not been expired for more than a day, by router."""
    recent = (routers.c.pin == pin) & (routers.c.expires_at > seconds_from_now(-_KEPT_S))
    rows = connection.execute(select(routers).where(recent)).mappings()
    return sorted((_lease_of(row) for row in rows), key=lambda lease: lease.router_id)


def lease_of(connection: Connection, router_id: str, pin: str) -> Lease | None:
    mine = (routers.c.pin == pin) & (routers.c.router_id == router_id)
    row = connection.execute(select(routers).where(mine)).mappings().one_or_none()
    return None if row is None else _lease_of(row)


def _lease_of(row: RowMapping) -> Lease:
    return Lease(**{name: row[name] for name in _PLAIN}, where=row["runs_at"])


def end_lease(connection: Connection, lease: Lease) -> None:
    """``expires_at`` stays: what the router may believe still counts for the flip."""
    mine = (routers.c.pin == lease.pin) & (routers.c.router_id == lease.router_id)
    connection.execute(update(routers).where(mine).values(dismissed_at=now()))


def write_lease(connection: Connection, lease: Lease, current: Routing) -> None:
    """Replaces the router's earlier lease; the lease of a router that has been gone for a day goes with it."""
    gone = (routers.c.router_id == lease.router_id) | (routers.c.expires_at <= seconds_from_now(-_KEPT_S))
    connection.execute(delete(routers).where(routers.c.pin == lease.pin, gone))
    connection.execute(insert(routers).values(_columns(lease, current)))


def _columns(lease: Lease, current: Routing) -> dict[str, Any]:
    return {
        "pin": lease.pin,
        "router_id": lease.router_id,
        "expires_at": seconds_from_now(lease.lease_s),
        "lease_s": lease.lease_s,
        # A number from before a restore must not count for a later version of that number.
        "acknowledged_version": min(lease.acknowledged_version, current.version),
        "protocol_version": lease.protocol_version,
        "runs_at": lease.where,
    }


def extend_lease(connection: Connection, router_id: str, current: Routing, acknowledged: int, lease_s: float) -> None:
    if acknowledged > current.version:
        raise refusals.acknowledged_the_future(router_id, acknowledged, current)
    mine = (routers.c.pin == current.pin) & (routers.c.router_id == router_id)
    values = {"expires_at": seconds_from_now(lease_s), "lease_s": lease_s, "acknowledged_version": acknowledged}
    if connection.execute(update(routers).where(mine).values(values)).rowcount != 1:
        raise refusals.lease_gone(router_id, current.pin)
