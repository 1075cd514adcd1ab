"""Routing versions, leases and what routers saw, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from vecferry.adapters.ledger import history, refusals, routing_rules
from vecferry.adapters.memory.ledger_tables import Tables
from vecferry.domain.routing import Lease, Routing, Seen, Snapshot
from vecferry.domain.telemetry import Observation

_LEASES_KEPT = timedelta(days=1)


class MemoryRouting:
    _tables: Tables

    def snapshot(self, pin: str, *, router_id: str | None = None, since: Seen | None = None) -> Snapshot:
        tables = self._tables
        with tables.lock:
            self._check_asker(pin, router_id, since)
            migration = tables.active(pin)
            entries = tables.entries(migration.id) if migration else []
            oldest = max(map(tables.age_s, entries), default=0.0)
            return Snapshot(tables.pin(pin), tables.routing(pin), migration, len(entries), oldest)

    def _check_asker(self, pin: str, router_id: str | None, since: Seen | None) -> None:
        current = self._tables.routing(pin)
        if since is not None:
            routing_rules.check_known(since, self._tables.routings[pin], pin, current)
        if router_id is not None:
            lease = self._tables.leases.get((pin, router_id))
            if lease is None or lease.dismissed_at is not None:
                raise refusals.lease_gone(router_id, pin)

    def register(self, lease: Lease) -> Snapshot:
        tables = self._tables
        with tables.lock:
            current = tables.routing(lease.pin)
            routing_rules.check_protocol(lease, tables.active(lease.pin))
            # A number from before a restore must not count for a later version of that number.
            acknowledged = min(lease.acknowledged_version, current.version)
            expires = tables.clock.now() + timedelta(seconds=lease.lease_s)
            stored = replace(lease, expires_at=expires, acknowledged_version=acknowledged)
            tables.leases[(lease.pin, lease.router_id)] = stored
            return self.snapshot(lease.pin)

    def renew(self, router_id: str, *, pin: str, acknowledged_version: int, lease_s: float) -> Snapshot:
        tables = self._tables
        with tables.lock:
            current, lease = tables.routing(pin), tables.leases.get((pin, router_id))
            if lease is None:
                raise refusals.lease_gone(router_id, pin)
            if lease.dismissed_at is not None:
                raise refusals.dismissed(lease)
            routing_rules.check_protocol(lease, tables.active(pin))
            if acknowledged_version > current.version:
                raise refusals.acknowledged_the_future(router_id, acknowledged_version, current)
            expires = tables.clock.now() + timedelta(seconds=lease_s)
            renewed = replace(lease, expires_at=expires, lease_s=lease_s, acknowledged_version=acknowledged_version)
            tables.leases[(pin, router_id)] = renewed
            return self.snapshot(pin)

    def deregister(self, router_id: str, *, pin: str) -> None:
        with self._tables.lock:
            self._tables.leases.pop((pin, router_id), None)

    def dismiss(self, router_id: str, *, pin: str, who: str, why: str) -> Lease:
        tables = self._tables
        with tables.lock:
            now, lease = tables.clock.now(), tables.leases.get((pin, router_id))
            if lease is None:
                raise refusals.no_router(router_id, pin, (known for of, known in tables.leases if of == pin))
            if lease.dismissed_at is None:
                tables.events.append(history.dismissed(lease, at=now, who=who, why=why))
                lease = tables.leases[(pin, router_id)] = replace(lease, dismissed_at=now)
            return lease

    def now(self) -> datetime:
        return self._tables.clock.now()

    def leases(self, pin: str) -> tuple[list[Lease], datetime]:
        with self._tables.lock:
            now = self._tables.clock.now()
            mine = [lease for lease in self._tables.leases.values() if lease.pin == pin]
            recent = [lease for lease in mine if lease.expires_at > now - _LEASES_KEPT]
            return sorted(recent, key=lambda lease: lease.router_id), now

    def observe(self, observations: Sequence[Observation], *, router_id: str) -> None:
        table = self._tables.observations
        with self._tables.lock:
            for given in observations:
                seen = given.stored_at(self._tables.clock.now())
                key = (seen.pin, seen.version, seen.arm)
                table[key] = table[key].plus(seen) if key in table else seen

    def observations(self, pin: str) -> list[Observation]:
        with self._tables.lock:
            mine = [seen for key, seen in self._tables.observations.items() if key[0] == pin]
            return sorted(mine, key=lambda seen: (seen.version, seen.arm))

    def routings(self, pin: str) -> list[Routing]:
        with self._tables.lock:
            self._tables.pin(pin)
            return list(self._tables.routings[pin])
