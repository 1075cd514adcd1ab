"""Which routing may follow which, decided without I/O; the memory fake and SQL ask the same functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from vecferry.adapters.ledger import refusals
from vecferry.domain.journal import RowKind
from vecferry.domain.lifecycle import ENDED, Migration, Phase, allowed, within_reach
from vecferry.domain.pins import Pin
from vecferry.domain.routing import ROUTER_ID, Lease, Mode, Routing, Seen, barrier


def first_routing(pin: Pin, at: datetime) -> Routing:
    return Routing(pin.name, 1, Mode.LIVE_ONLY, 0, pin.collection, reason="pinned", published_at=at)


def check_move(given: Migration, stored: Migration, to: Phase) -> None:
    """Compare-and-set on phase and version, then the table of moves."""
    check_unmoved(given, stored)
    if to is Phase.RETIRED:
        raise refusals.retired_by_flip_only(stored)
    if to is Phase.ROLLED_BACK and stored.live_model_gone:
        raise refusals.no_way_back(stored)
    if not allowed(stored.phase, to):
        raise refusals.illegal_move(stored, to)


def check_unmoved(given: Migration, stored: Migration) -> None:
    if (given.phase, given.version) != (stored.phase, stored.version):
        raise refusals.moved_first(given, stored)


def standing(current: Routing, migration: Migration) -> tuple[Mode, int]:
    """Mode and percent that hold for the migration as long as nothing is published for it."""
    return (current.mode, current.percent) if current.migration_id == migration.id else (Mode.LIVE_ONLY, 0)


def check_routable(migration: Migration, current: Routing, mode: Mode, percent: int, *, was_dual: bool) -> None:
    """``migration`` as it will be; ``was_dual``: an earlier routing version of it wrote to both."""
    phase = migration.phase
    rules = {
        "percent is 0 … 100": 0 <= percent <= 100,
        "live_only serves 0% from the shadow": mode is not Mode.LIVE_ONLY or percent == 0,
        f"only serving has a percent above 0 (phase {phase})": percent == 0 or phase is Phase.SERVING,
        f"no shadow to write to in phase {phase}": mode is Mode.LIVE_ONLY or phase is not Phase.PLANNED,
        f"{phase} needs mode live_only": mode is Mode.LIVE_ONLY or phase not in ENDED,
        "a freeze needs phase serving at 100%": mode is not Mode.FREEZE or (phase is Phase.SERVING and percent == 100),
        # Rule 16: what was deleted while dual-write was off would stay in the shadow for ever.
        "dual-write was switched off and never comes back": not (
            was_dual and current.mode is Mode.LIVE_ONLY and mode is not Mode.LIVE_ONLY
        ),
    }
    broken = [rule for rule, holds in rules.items() if not holds]
    if broken:
        raise refusals.unroutable(migration, broken)


def successor(current: Routing, migration: Migration, mode: Mode, percent: int, *, why: str, at: datetime) -> Routing:
    return replace(
        current,
        version=current.version + 1,
        mode=mode,
        percent=percent,
        migration_id=migration.id,
        reason=why,
        published_at=at,
    )


def repinned(current: Routing, pin: Pin, *, why: str, at: datetime) -> Routing:
    """The pin now means another collection, or another model of the same space; no migration is active."""
    return replace(
        current, version=current.version + 1, authority=pin.collection, migration_id=None, reason=why, published_at=at
    )


def unfrozen(current: Routing, *, why: str, at: datetime) -> Routing:
    return replace(current, version=current.version + 1, mode=Mode.DUAL, reason=why, published_at=at)


def may_open(routing: Routing, migration_id: str, kind: RowKind) -> bool:
    """FREEZE admits the writes that began before it; no copier may start."""
    if routing.migration_id != migration_id or routing.mode is Mode.LIVE_ONLY:
        return False
    return routing.mode is Mode.DUAL or kind is RowKind.WRITE


def check_protocol(lease: Lease, active: Migration | None) -> None:
    """Rule 18, said by name; triggers say it to whom this release's code cannot teach."""
    if active is not None and not within_reach(lease.protocol_version, active.protocol_version):
        raise refusals.protocol_refused(lease, active)


def check_owner(owner: str, lease: Lease | None, migration: Migration, kind: RowKind) -> None:
    """Rules 15 and 18: a router without a lease that the migration accepts writes nothing, so it opens no row."""
    if kind is not RowKind.WRITE or not owner.startswith(ROUTER_ID):
        return
    if lease is None or lease.dismissed_at or not within_reach(lease.protocol_version, migration.protocol_version):
        raise refusals.row_without_lease(owner, migration.id)


def check_known(seen: Seen, history: Sequence[Routing], pin: str, current: Routing) -> None:
    """What somebody remembers must be in the history, or the ledger is not the one that they knew."""
    if not any(routing.is_the_seen(seen) for routing in history):
        raise refusals.restored(pin, seen, current)


def check_copying(migration: Migration, routing: Routing) -> None:
    """Backfill never starts again once the freeze has begun, or dual-write was switched off."""
    switched_off = routing.migration_id == migration.id and routing.mode is not Mode.DUAL
    if migration.ended or switched_off:
        raise refusals.copying_over(migration, routing)


@dataclass(frozen=True)
class Readiness:
    """What the flip asserts on, read in the flip's own transaction."""

    routing: Routing
    leases: Sequence[Lease]
    open_chunks: int
    journal_rows: int
    now: datetime


def check_flip(given: Migration, stored: Migration, version: int, new_pin: Pin, ready: Readiness, quarantine_s: float) -> None:
    """protocol.md, the freeze, 1 to 4; each failure has its own words."""
    check_unmoved(given, stored)
    if stored.ended:
        raise refusals.already_ended(stored)
    if (new_pin.name, new_pin.collection, new_pin.space) != (stored.pin, stored.spec.shadow, stored.spec.space):
        raise refusals.wrong_new_pin(stored, new_pin)
    reasons = _obstacles(stored, version, ready, quarantine_s)
    if reasons:
        raise refusals.flip_refused(stored, reasons[0])


def _obstacles(stored: Migration, version: int, ready: Readiness, quarantine_s: float) -> list[str]:
    routing = ready.routing
    waiting = barrier(list(ready.leases), version, now=ready.now, quarantine_s=quarantine_s, by_word=False)
    checks = [
        (routing.version == version, f"the routing is at version {routing.version}, not {version} (the freeze was undone)"),
        (routing.mode is Mode.FREEZE and routing.migration_id == stored.id, f"mode is {routing.mode}, not freeze"),
        (routing.percent == 100, f"only {routing.percent}% of the queries are on the shadow"),
        (waiting.passed, f"not acknowledged by {', '.join(waiting.waiting_for)}"),
        (ready.open_chunks == 0, f"{ready.open_chunks} chunks are open"),
        (ready.journal_rows == 0, f"the journal has {ready.journal_rows} rows"),
    ]
    return [reason for holds, reason in checks if not holds]


def flipped(current: Routing, migration: Migration, new_pin: Pin, *, at: datetime) -> Routing:
    return replace(
        current,
        version=current.version + 1,
        mode=Mode.LIVE_ONLY,
        percent=0,
        authority=new_pin.collection,
        migration_id=migration.id,
        reason="retired",
        published_at=at,
    )
