"""What ``retire`` left behind: the old collection, until when it is kept, and how it is closed to writers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from vecferry.domain.descriptions import moved, with_moved
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.routing import Mode, Routing
from vecferry.errors import BadInput
from vecferry.ports import Event, Ports

RETIRED = "retired"
DROPPED = "old_dropped"


@dataclass(frozen=True)
class OldCollection:
    """As the ledger has it. ``flipped``: the routing version with which authority moved."""

    name: str
    flipped: Routing
    kept_until: datetime
    dropped: Event | None


def old_collection(ports: Ports, migration: Migration) -> OldCollection:
    """From the ledger alone. Raises ``BadInput`` where nothing was retired."""
    flipped = _flip(ports, migration)
    if migration.phase is not Phase.RETIRED or flipped is None:
        raise BadInput(
            f"nothing was retired: the migration is {migration.phase.replace('_', ' ')}, {migration.spec.live} the authority",
            where=migration.id,
            next_action="vecferry status shows where it stands.",
        )
    events = ports.ledger.events(migration_id=migration.id)
    told = next((e.detail["kept_until"] for e in reversed(events) if "kept_until" in e.detail), None)
    kept_until = datetime.fromisoformat(told) if told else kept_from(ports, migration, _at(flipped))
    dropped = next((e for e in reversed(events) if e.what == DROPPED), None)
    return OldCollection(migration.spec.live, flipped, kept_until, dropped)


def as_row(ports: Ports, migration: Migration) -> dict[str, Any] | None:
    """JSON-able, for people; ``None`` before ``retire``."""
    if migration.phase is not Phase.RETIRED:
        return None
    old = old_collection(ports, migration)
    dropped = old.dropped and {"at": old.dropped.at.isoformat(), "who": old.dropped.who, "why": old.dropped.why}
    return {"collection": old.name, "kept_until": old.kept_until.isoformat(), "dropped": dropped}


def is_due(ports: Ports, migration: Migration) -> bool:
    """Whether the old collection's time is over, and it still stands as far as the ledger knows."""
    old = old_collection(ports, migration)
    return old.dropped is None and ports.ledger.now() >= old.kept_until


def write_hold_s(ports: Ports, migration: Migration, old: OldCollection) -> float:
    """From the freeze that the flip ended, by the ledger's clock (routers adopt the flip a poll later)."""
    before = (r for r in ports.ledger.routings(migration.pin) if r.version < old.flipped.version and r.mode is Mode.FREEZE)
    frozen = max(before, key=lambda routing: routing.version)
    return (_at(old.flipped) - _at(frozen)).total_seconds()


def next_step(ports: Ports, migration: Migration) -> str:
    """The command that is left to run, and from when; empty once the old collection is dropped."""
    old = old_collection(ports, migration)
    if old.dropped is not None:
        return ""
    command = f"vecferry drop-old {migration.pin}"
    return command if is_due(ports, migration) else f"{command}, from {old.kept_until:%Y-%m-%d %H:%M} UTC on"


def kept_from(ports: Ports, migration: Migration, retired_at: datetime) -> datetime:
    """The date that a retirement at this moment gives: what was asked for, else the setting."""
    asked = migration.options.get("keep_days")
    return retired_at + timedelta(days=ports.gates.keep_old_days if asked is None else float(asked))


def close(ports: Ports, migration: Migration) -> bool:
    """Nobody can write the old collection, and it says where the data went. Idempotent. ``False`` if it is not there, or
    a pin means what stands under its name.

    READONLY ends with a restart of the server, the description stays; so this is done again by whoever looks after it.
    """
    store, old = ports.store, migration.spec.live
    if old not in store.collections() or any(pin.collection == old for pin in ports.ledger.pins()):
        return False
    if not is_signed(ports, migration):
        store.set_description(old, with_moved(store.schema(old), migration.id, migration.spec.shadow))
    store.set_read_only(old, True)
    return True


def is_signed(ports: Ports, migration: Migration) -> bool:
    """Whether what stands under the old name is what was retired: one that came into being later does not say so."""
    found = moved(ports.store.schema(migration.spec.live))
    return found is not None and found.migration_id == migration.id


def _flip(ports: Ports, migration: Migration) -> Routing | None:
    own = (r for r in ports.ledger.routings(migration.pin) if r.migration_id == migration.id)
    return next((r for r in own if r.authority == migration.spec.shadow), None)


def _at(routing: Routing) -> datetime:
    assert routing.published_at is not None, "the ledger dates each version"
    return routing.published_at
