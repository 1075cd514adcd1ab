"""Read the feeds, believe what is corroborated, and name one run per affected pin."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from vecferry.domain.corroboration import corroborate
from vecferry.domain.lifecycle import Migration
from vecferry.domain.notices import Notice, affected, parse_feed, parse_notice, run_id, start_by
from vecferry.domain.pins import Pin
from vecferry.domain.request import PERCENTS, MigrationRequest
from vecferry.errors import BadInput
from vecferry.ports import Event, Ports
from vecferry.steps.check_deprecation import listed

_SOURCE = "notices feed"
_UNPLANNED_HOURS = 24.0
_UNPLANNED_SOAK_MINUTES = MigrationRequest.soak_minutes * len(PERCENTS)
"""What a migration is taken to need where none was planned."""
_MARGIN_DAYS = 7.0


def read_feed(ports: Ports) -> list[Notice]:
    """Stores what the feed says now; rows that cannot be read become an event, not a failure of all others."""
    rows = ports.notice_feed.rows()
    feed = parse_feed(rows, source=_SOURCE)
    if feed.notices:
        ports.ledger.save_notices([notice.as_dict() for notice in feed.notices])
    for problem in feed.refused:
        ports.ledger.record_event(Event(ports.clock.now(), "deprecation_watch", "notice_refused", str(problem)))
    return list(feed.notices)


def affected_runs(ports: Ports) -> list[dict[str, Any]]:
    """``trigger_run_id`` and ``conf`` for each pin whose model's end is corroborated and who has no migration under way.

    The id is the same every time for the same notice and pin; only a discard raises the attempt.
    """
    read_feed(ports)
    notices = [parse_notice(row) for row in ports.ledger.notices()]
    runs = [_run_for(ports, pin, list(about)) for pin, about in affected(ports.ledger.pins(), notices)]
    return [run for run in runs if run]


def latest_start(shutdown_on: date, planned: Migration | None = None) -> datetime:
    """The start (UTC) that is early enough, a week in hand; ``planned`` knows its own hours, soaks included."""
    hours = float(planned.plan.get("total_hours") or 0) if planned else 0.0
    return start_by(
        shutdown_on,
        estimate_hours=hours or _UNPLANNED_HOURS,
        soak_minutes=0.0 if hours else _UNPLANNED_SOAK_MINUTES,
        margin_days=_MARGIN_DAYS,
    )


def _run_for(ports: Ports, pin: Pin, about: list[Notice]) -> dict[str, Any] | None:
    result = corroborate(about, listed(ports, pin), needed=ports.gates.corroboration_sources)
    target = _replacement(ports, about)
    if not result.confirmed or result.shutdown_on is None or target is None or ports.ledger.active_migration(pin.name):
        _explain(ports, pin, result.why if target else f"{result.why}; no replacement is in the catalogue")
        return None
    attempt = 1 + sum(m.phase == "discarded" for m in ports.ledger.migrations(pin.name))
    conf = {
        "collection": pin.name,
        "to_model": target,
        "deadline": result.shutdown_on.isoformat(),
        "notice_id": about[0].subject,
    }
    _explain(ports, pin, f"{result.why}; start by {latest_start(result.shutdown_on):%Y-%m-%d %H:%M} UTC")
    return {"trigger_run_id": run_id(about[0], pin.name, attempt), "conf": conf}


def _replacement(ports: Ports, about: list[Notice]) -> str | None:
    """The first announced replacement that the catalogue knows."""
    for name in dict.fromkeys(name for notice in about for name in notice.replacements):
        try:
            return ports.catalogue.card(name).space.id.partition("@")[0]
        except BadInput:
            continue
    return None


def _explain(ports: Ports, pin: Pin, why: str) -> None:
    ports.ledger.record_event(Event(ports.clock.now(), "deprecation_watch", "notice_weighed", why, pin.name))
