"""Routing, leases and what routers saw, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, delete, select

from vecferry.adapters.ledger import history, refusals, routing_rules, stored_migration, stored_routing
from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.leases import end_lease, extend_lease, lease_of, leases_of, write_lease
from vecferry.adapters.ledger.pins import read_pin
from vecferry.adapters.ledger.snapshots import snapshot_of
from vecferry.adapters.ledger.stored_events import clock_of, record
from vecferry.adapters.ledger.tables import routers, routing_versions
from vecferry.adapters.ledger.telemetry import add_observation, summed_observations
from vecferry.domain.routing import Lease, Routing, Seen, Snapshot
from vecferry.domain.telemetry import Observation


class SqlRouting:
    _database: Database

    def snapshot(self, pin: str, *, router_id: str | None = None, since: Seen | None = None) -> Snapshot:
        return self._database.read(lambda connection: snapshot_of(connection, pin, router_id=router_id, since=since))

    def register(self, lease: Lease) -> Snapshot:
        return self._database.write(partial(_register, lease=lease))

    def renew(self, router_id: str, *, pin: str, acknowledged_version: int, lease_s: float) -> Snapshot:
        return self._database.write(
            partial(_renew, router_id=router_id, pin=pin, acknowledged=acknowledged_version, lease_s=lease_s)
        )

    def deregister(self, router_id: str, *, pin: str) -> None:
        mine = (routers.c.pin == pin) & (routers.c.router_id == router_id)
        self._database.write(lambda connection: connection.execute(delete(routers).where(mine)))

    def dismiss(self, router_id: str, *, pin: str, who: str, why: str) -> Lease:
        return self._database.write(partial(_dismiss, router_id=router_id, pin=pin, who=who, why=why))

    def now(self) -> datetime:
        return self._database.read(clock_of)

    def leases(self, pin: str) -> tuple[list[Lease], datetime]:
        return self._database.read(lambda connection: _leases(connection, pin))

    def observe(self, observations: Sequence[Observation], *, router_id: str) -> None:
        if observations:
            self._database.write(partial(_observe, observations=observations, router_id=router_id))

    def observations(self, pin: str) -> list[Observation]:
        return self._database.read(lambda connection: summed_observations(connection, pin))

    def routings(self, pin: str) -> list[Routing]:
        return self._database.read(lambda connection: _routings(connection, pin))


def _register(connection: Connection, *, lease: Lease) -> Snapshot:
    """Rule 14: the shared lock makes a publisher wait until the lease can be seen, or shows the lease the new version."""
    current = stored_routing.locked(connection, lease.pin, shared=True)
    routing_rules.check_protocol(lease, stored_migration.active_of(connection, lease.pin))
    write_lease(connection, lease, current)
    return snapshot_of(connection, lease.pin)


def _renew(connection: Connection, *, router_id: str, pin: str, acknowledged: int, lease_s: float) -> Snapshot:
    """Locked as a registration is: an expired lease that a barrier has passed over must not come back to life with an
    old version in hand."""
    current = stored_routing.locked(connection, pin, shared=True)
    lease = lease_of(connection, router_id, pin)
    if lease is None:
        raise refusals.lease_gone(router_id, pin)
    if lease.dismissed_at is not None:
        raise refusals.dismissed(lease)
    routing_rules.check_protocol(lease, stored_migration.active_of(connection, pin))
    extend_lease(connection, router_id, current, acknowledged, lease_s)
    return snapshot_of(connection, pin)


def _dismiss(connection: Connection, *, router_id: str, pin: str, who: str, why: str) -> Lease:
    """Under the lock that a renewal takes: one of the two is first, and the other sees it."""
    stored_routing.locked(connection, pin)
    lease = lease_of(connection, router_id, pin)
    if lease is None:
        raise refusals.no_router(router_id, pin, (known.router_id for known in leases_of(connection, pin)))
    if lease.dismissed_at is not None:
        return lease
    end_lease(connection, lease)
    record(connection, history.dismissed(lease, at=clock_of(connection), who=who, why=why))
    return replace(lease, dismissed_at=clock_of(connection))


def _leases(connection: Connection, pin: str) -> tuple[list[Lease], datetime]:
    """The clock first: a lease looks less expired than it is, never more."""
    now = clock_of(connection)
    return leases_of(connection, pin), now


def _observe(connection: Connection, *, observations: Sequence[Observation], router_id: str) -> None:
    for seen in observations:
        add_observation(connection, seen, router_id)


def _routings(connection: Connection, pin: str) -> list[Routing]:
    query = select(routing_versions).where(routing_versions.c.pin == pin).order_by(routing_versions.c.version)
    found = [stored_routing.routing_of(row) for row in connection.execute(query).mappings()]
    if not found:
        read_pin(connection, pin)
    return found
