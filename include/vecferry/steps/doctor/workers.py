"""Who works on a pin: its routers, the journal of its migration, its shadow, and what its verdict will need."""

from __future__ import annotations

from dataclasses import replace

from vecferry.domain.descriptions import shadow_of
from vecferry.domain.lifecycle import Migration, understands
from vecferry.domain.pins import Pin
from vecferry.errors import LedgerRestored
from vecferry.ports import Ports
from vecferry.protocol import restored
from vecferry.steps.doctor.collection import shards
from vecferry.steps.doctor.finding import Finding, Look, ok, problem


def looks(ports: Ports, pin: Pin) -> list[Look]:
    migration = ports.ledger.active_migration(pin.name)
    found: list[Look] = [
        ("ledger", lambda: _ledger(ports, pin)),
        ("routers", lambda: _routers(ports, pin)),
        ("golden set", lambda: _golden(ports, pin)),
    ]
    if migration is not None:
        found += [("journal", lambda: _journal(ports, migration)), ("shadow", lambda: _shadow(ports, migration))]
    return found


def _ledger(ports: Ports, pin: Pin) -> Finding:
    """Whether it is the one that routers and collections remember (it may have been restored from a backup)."""
    try:
        restored.check(ports.ledger, ports.store, ports.ledger.snapshot(pin.name))
    except LedgerRestored as error:
        return problem(error.what, error.next_action)
    if found := restored.standing(ports.ledger, pin.name):
        return problem(
            f"{found.why} (found by {found.who})", f"If it is to count: vecferry routers {pin.name} --accept-restored"
        )
    known = {migration.id for migration in ports.ledger.migrations(pin.name)}
    shadows = {name: shadow_of(ports.store.schema(name)) for name in ports.store.collections()}
    lost = {name: of for name, of in shadows.items() if of and of.live == pin.collection and of.migration_id not in known}
    if lost:
        name, of = next(iter(lost.items()))
        what = f"{name} is a shadow of {pin.collection} by migration {of.migration_id}, which this ledger does not know"
        return problem(what, "Bring back the ledger that does; if there is none, that collection is nobody's any more.")
    return ok("knows all that the collections remember")


def _routers(ports: Ports, pin: Pin) -> Finding:
    leases, now = ports.ledger.leases(pin.name)
    alive = [lease for lease in leases if lease.ends_at > now]
    snapshot = ports.ledger.snapshot(pin.name)
    version, migration = snapshot.routing.version, snapshot.migration
    far = [one for one in alive if migration is not None and not understands(one.protocol_version, migration)]
    if far:
        which = f"{far[0].router_id} at {far[0].where} speaks protocol {far[0].protocol_version}"
        return problem(f"{which}: it may only read while the migration runs", "Upgrade vecferry in that process.")
    behind = [lease.where for lease in alive if lease.acknowledged_version < version]
    if behind:
        return problem(f"{len(behind)} of {len(alive)} not at routing version {version}: {behind[0]}", "Look at that process.")
    return ok(f"{len(alive)} alive, all at routing version {version}" if alive else "none is running")


def _journal(ports: Ports, migration: Migration) -> Finding:
    rows = sum(ports.ledger.journal_counts(migration.id).values())
    oldest_s = ports.ledger.oldest_row_age_s(migration.id)
    if oldest_s > ports.timings.takeover_s + 2 * ports.timings.delta_s:
        return problem(f"{rows:,} rows, the oldest {oldest_s:.0f} s old", f"Run: vecferry janitor {migration.pin}")
    return ok(f"{rows:,} rows")


def _shadow(ports: Ports, migration: Migration) -> Finding | None:
    if migration.spec.shadow not in ports.store.collections():
        return None  # not created yet
    found = shards(ports, migration.spec.shadow)
    return replace(found, what=f"{found.what}; its vectors are compared by vecferry verify {migration.pin}")


def _golden(ports: Ports, pin: Pin) -> Finding:
    """Too few are no fault of the collection; a migration would stop at its verdict."""
    count, needed = len(ports.ledger.golden(pin.name)), ports.gates.min_golden_queries
    if count < needed:
        cure = f"Before a migration: vecferry golden import FILE --pin {pin.name}"
        return Finding("", "ok", f"{count} queries; a verdict needs {needed}", cure)
    return ok(f"{count:,} queries")
