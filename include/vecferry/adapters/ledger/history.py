"""The events that the ledger writes itself, in the transaction of the change that they tell of."""

from __future__ import annotations

from datetime import datetime

from vecferry.domain.budget import BUDGET
from vecferry.domain.lifecycle import Migration
from vecferry.domain.pins import Pin
from vecferry.domain.routing import Lease, Routing
from vecferry.ports import Event


def pin_saved(pin: Pin, *, at: datetime, who: str, why: str) -> Event:
    return Event(at, who, "pin", why, pin.name, None, {"collection": pin.collection, "space": pin.space.id})


def started(migration: Migration, *, at: datetime, who: str, why: str) -> Event:
    detail = {
        "from": migration.from_space.id,
        "to": migration.spec.space.id,
        "shadow": migration.spec.shadow,
        "protocol": migration.protocol_version,
        "hash": migration.spec.hash_version,
    }
    return Event(at, who, "start", why, migration.pin, migration.id, detail | {"attempt": migration.attempt})


def moved(before: Migration, after: Migration, *, at: datetime, who: str, why: str) -> Event:
    detail = {"from": str(before.phase), "to": str(after.phase), "percent": after.percent, "version": after.version}
    return Event(at, who, "move", why, after.pin, after.id, detail)


def published(routing: Routing, *, at: datetime, who: str, why: str) -> Event:
    detail = {"version": routing.version, "mode": str(routing.mode), "percent": routing.percent}
    return Event(at, who, "publish", why, routing.pin, routing.migration_id, detail)


def unfrozen(routing: Routing, *, at: datetime, who: str, why: str) -> Event:
    return Event(at, who, "undo_freeze", why, routing.pin, routing.migration_id, {"version": routing.version})


def dismissed(lease: Lease, *, at: datetime, who: str, why: str) -> Event:
    detail = {"router": lease.router_id, "where": lease.where, "acknowledged_version": lease.acknowledged_version}
    return Event(at, who, "dismiss_router", why, lease.pin, None, detail | {"may_live_until": lease.expires_at.isoformat()})


def paused(migration: Migration, reason: str | None, *, at: datetime, who: str) -> Event:
    return Event(at, who, "unpause" if reason is None else "pause", reason or "", migration.pin, migration.id)


def budget(migration: Migration, usd: float | None, *, at: datetime, who: str, why: str) -> Event:
    detail = {"from": migration.options.get(BUDGET), "to": usd}
    return Event(at, who, "budget", why, migration.pin, migration.id, detail)


def live_model(migration: Migration, gone: bool, *, at: datetime, who: str, why: str) -> Event:
    what = "live_model_gone" if gone else "live_model_back"
    return Event(at, who, what, why, migration.pin, migration.id, {"model": migration.from_space.id})
