"""What a migration did, from the ledger alone: stages, verdicts, events, spend, shares. Pure data; others draw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from vecferry.domain.lifecycle import Migration
from vecferry.domain.routing import Arm, Mode
from vecferry.domain.stages import STAGES
from vecferry.domain.telemetry import percentile_ms, total
from vecferry.domain.verdicts import Verdict
from vecferry.errors import NotFound
from vecferry.ports import Event, Ports
from vecferry.steps import cut_over, old_collection, sweeps
from vecferry.steps.status import migration_row
from vecferry.steps.verify_parity import CLEAN_PASS

_EVENTS = 10_000


def gather(ports: Ports, pin_name: str, migration_id: str | None = None) -> dict[str, Any]:
    """JSON-able. The migration named, else the one under way, else the newest; ``NotFound`` if there never was one."""
    pin = ports.ledger.pin(pin_name)
    migration = _chosen(ports, pin.name, migration_id)
    events = ports.ledger.events(migration_id=migration.id, limit=_EVENTS)
    return {
        "pin": pin.name,
        "at": ports.clock.now().isoformat(),
        "migration": migration_row(migration) | {"options": migration.options},
        "plan": migration.plan,
        "stages": stages(ports, migration, events),
        "shares": shares(ports, migration),
        "rollbacks": rollbacks(ports, migration, events),
        "write_hold_s": next((e.detail.get("write_hold_s") for e in reversed(events) if e.what == "retired"), None),
        "old_collection": _old_collection(ports, migration),
        "left_out": _left_out(events),
        "sweep": sweeps.as_row(ports, migration),
        "spend": asdict(ports.ledger.spend(migration_id=migration.id)),
        "verdicts": [{"at": at.isoformat(), **verdict.as_dict()} for at, verdict in ports.ledger.verdicts(migration.id)],
        "routings": _routings(ports, migration),
        "events": [_event(event) for event in events],
    }


def stages(ports: Ports, migration: Migration, events: list[Event]) -> list[dict[str, Any]]:
    """A row per stage that was judged, in the order of the road. ``seconds``: from the end of the one before to its own;
    for a rollback, from the write that went back."""
    judged = ports.ledger.verdicts(migration.id)
    went_back = [e.at for e in events if _rolled_back(e)]
    seconds = _seconds(judged, next((e.at for e in events if e.what == "start"), None), went_back)
    newest = {verdict.stage: (at, verdict) for at, verdict in judged}
    known = [(stage.name, stage.chapter, stage.title) for stage in STAGES] + [("roll_back", "Back", "Roll back")]
    return [
        {
            "stage": name,
            "chapter": chapter,
            "title": title,
            "outcome": newest[name][1].outcome.value,
            "reason": newest[name][1].reason,
            "accepted_by": newest[name][1].accepted_by,
            "accepted_why": newest[name][1].accepted_why,
            "judged_at": newest[name][0].isoformat(),
            "seconds": seconds.get(name),
            "rows_checked": newest[name][1].evidence.get("rows"),
        }
        for name, chapter, title in known
        if name in newest
    ]


def shares(ports: Ports, migration: Migration) -> dict[str, dict[str, Any]]:
    """Per percent: the share that was asked of the shadow and the one that it served, over ``queries`` of both arms."""
    found = {}
    for stage in (stage for stage in STAGES if stage.percent is not None):
        routing = cut_over.routing_of(ports, migration, stage.name)
        seen = cut_over.observed(ports, migration, routing) if routing else {}
        queries = sum(observation.queries for observation in seen.values())
        if queries and stage.percent:
            shadow = seen.get(Arm.SHADOW)
            served = shadow.served / queries if shadow else 0.0
            found[stage.name] = {
                "asked": stage.percent / 100,
                "served": served,
                "queries": queries,
                "fallbacks": shadow.fallbacks if shadow else 0,
                "errors": sum(observation.errors for observation in seen.values()),
                "p95_ms": percentile_ms(shadow.latency, 0.95) if shadow else None,
            }
    return found


def rollbacks(ports: Ports, migration: Migration, events: list[Event]) -> list[dict[str, Any]]:
    """Each with the shadow's last answer before it, which may come after the write: queries in flight finish."""
    found = []
    for place, event in enumerate(events):
        if _rolled_back(event):  # its routing version is told of next, in the same transaction
            version = next(e.detail["version"] for e in events[place:] if e.what == "publish")
            last = _last_answer(ports, migration, Arm.SHADOW, version, event.at)
            found.append({"at": event.at.isoformat(), "who": event.who, "why": event.why, **last})
    return found


def _left_out(events: list[Event]) -> dict[str, int]:
    """Of the newest clean pass: copies whose vector is of a part of the text, or missing, by reason."""
    passes = [event.detail for event in events if event.what == CLEAN_PASS]
    return dict(passes[-1].get("left_out") or {}) if passes else {}


def _old_collection(ports: Ports, migration: Migration) -> dict[str, Any] | None:
    """With its last answer to a query, before authority moved."""
    row = old_collection.as_row(ports, migration)
    if row is None:
        return None
    flipped = old_collection.old_collection(ports, migration).flipped
    assert flipped.published_at is not None
    return row | _last_answer(ports, migration, Arm.LIVE, flipped.version, flipped.published_at)


def _last_answer(ports: Ports, migration: Migration, arm: Arm, version: int, at: datetime) -> dict[str, Any]:
    """By the arm itself under a version before ``version``, as far as routers have reported; ``after_s`` is against ``at``."""
    before = [o.last_served_at for o in ports.ledger.observations(migration.pin) if o.arm is arm and 0 < o.version < version]
    last = max((moment for moment in before if moment is not None), default=None)
    after_s = None if last is None else round((last - at).total_seconds(), 3)
    return {"last_answer_at": last.isoformat() if last else None, "last_answer_after_s": after_s}


def _chosen(ports: Ports, pin: str, migration_id: str | None) -> Migration:
    known = ports.ledger.migrations(pin)
    if migration_id is None and known:
        return ports.ledger.active_migration(pin) or known[0]
    for migration in known:
        if migration.id == migration_id:
            return migration
    what = f"the pin has no migration {migration_id!r}" if migration_id else "the pin has had no migration yet"
    listed = ", ".join(migration.id for migration in known) or "none"
    raise NotFound(what, where=pin, next_action=f"Its migrations: {listed}. vecferry plan {pin} --to MODEL looks ahead.")


def _seconds(
    judged: list[tuple[datetime, Verdict]], started: datetime | None, went_back: list[datetime]
) -> Mapping[str, float]:
    """By the first verdict of each stage that passes: what is run again later took its time then."""
    ends: dict[str, datetime] = {}
    for at, verdict in judged:
        if verdict.passes:
            ends.setdefault(verdict.stage, at)
    before, found = started, {}
    for name, at in sorted(ends.items(), key=lambda end: end[1]):
        began = max((back for back in went_back if back <= at), default=before) if name == "roll_back" else before
        if began is not None:
            found[name] = round((at - began).total_seconds(), 3)
        before = at
    return found


def _routings(ports: Ports, migration: Migration) -> list[dict[str, Any]]:
    own = [routing for routing in ports.ledger.routings(migration.pin) if routing.migration_id == migration.id]
    return [
        {
            "version": routing.version,
            "mode": routing.mode.value,
            "percent": routing.percent,
            "reason": routing.reason,
            "published_at": routing.published_at.isoformat() if routing.published_at else None,
            "queries": _queries(ports, routing.pin, routing.version) if routing.mode is not Mode.FREEZE else None,
        }
        for routing in own
    ]


def _queries(ports: Ports, pin: str, version: int) -> int:
    seen = total(o for o in ports.ledger.observations(pin) if o.version == version)
    return seen.queries if seen else 0


def _rolled_back(event: Event) -> bool:
    return event.what == "move" and event.detail.get("to") == "rolled_back"


def _event(event: Event) -> dict[str, Any]:
    return {
        "at": event.at.isoformat(),
        "who": event.who,
        "what": event.what,
        "headline": event.headline,
        "why": event.why,
        "detail": dict(event.detail),
    }
