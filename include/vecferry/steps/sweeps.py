"""The sweeps that the ledger knows of: how stale native changes may be, and whether a gate may pass on the last one."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from vecferry.domain.lifecycle import Migration
from vecferry.domain.sweeping import Sweep, in_words, staleness_bound_s
from vecferry.errors import Paused
from vecferry.ports import Event, Ports
from vecferry.steps.readiness import recorded

SWEEP = "sweep"
WRITERS_MOVED = "writers_moved"
STILL_WRITING = "still_writing_natively"
_LAST = 5


def row(sweep: Sweep) -> dict[str, Any]:
    """JSON-able."""
    moments = {"began": sweep.began.isoformat(), "ended": sweep.ended.isoformat()}
    return asdict(sweep) | moments | {"seconds": sweep.seconds, "clean": sweep.clean, "examples": list(sweep.examples)}


def last_sweeps(ports: Ports, migration: Migration, limit: int = _LAST) -> list[Sweep]:
    """The complete ones, oldest first."""
    return [_sweep(event) for event in ports.ledger.events(migration_id=migration.id, what=SWEEP, limit=limit)]


def record(ports: Ports, migration: Migration, sweep: Sweep) -> None:
    recorded(ports, migration, SWEEP, in_words(sweep), **row(sweep))


def note_native_writes(ports: Ports, migration: Migration, examples: list[str], *, since: datetime) -> None:
    """A native write that a look begun after a person's word finds takes that word back."""
    given = word(ports, migration)
    if given is not None and since >= given.at and taken_back(ports, migration, given) is None:
        why = f"objects were written after {given.who}'s word that the writers have moved"
        recorded(ports, migration, STILL_WRITING, why, examples=examples)


def word(ports: Ports, migration: Migration) -> Event | None:
    """The newest word of a person that the writers have moved to the Router; whether it still stands is ``taken_back``."""
    return next(iter(ports.ledger.events(migration_id=migration.id, what=WRITERS_MOVED, limit=1)), None)


def taken_back(ports: Ports, migration: Migration, given: Event) -> Event | None:
    """What was found after that word, if anything was."""
    found = next(iter(ports.ledger.events(migration_id=migration.id, what=STILL_WRITING, limit=1)), None)
    return found if found is not None and found.at >= given.at else None


def age_s(sweep: Sweep, now: datetime) -> float:
    return (now - sweep.ended).total_seconds()


def why_not_followed(ports: Ports, migration: Migration) -> str:
    """Why a gate may not pass: the last sweep is missing, not clean or too old. Empty where it may."""
    if not migration.sweeps:
        return ""
    newest = next(iter(last_sweeps(ports, migration, 1)), None)
    if newest is None:
        return "a first sweep over what applications write natively"
    if not newest.clean:
        return f"a clean sweep; the last one: {in_words(newest)}"
    limit_s, age = ports.gates.sweep_max_age_s, age_s(newest, ports.ledger.now())
    return "" if age < limit_s else f"a sweep younger than {limit_s:.0f} s; the last one ended {age:.0f} s ago"


def refuse_unless_followed(ports: Ports, migration: Migration) -> None:
    """Not a failure: a failed percent is rolled back, and a sweep that is due is no reason to."""
    if why := why_not_followed(ports, migration):
        raise Paused(
            f"no query goes to the new collection before {why}",
            where=migration.id,
            next_action=f"Keep running: vecferry sweep {migration.pin}",
        )


def bound_s(ports: Ports, migration: Migration) -> float | None:
    """The staleness bound of native changes, in seconds; ``None`` before the first sweep, and without ``sweep``."""
    return staleness_bound_s(last_sweeps(ports, migration), ports.ledger.now()) if migration.sweeps else None


def as_row(ports: Ports, migration: Migration) -> dict[str, Any] | None:
    """JSON-able, from the ledger alone; ``None`` where no application bypasses the Router, and after ``retire``."""
    if not migration.sweeps:
        return None
    newest, bound, given = last_sweeps(ports, migration, 1), bound_s(ports, migration), word(ports, migration)
    back = taken_back(ports, migration, given) if given else None
    return {
        "last": row(newest[0]) if newest else None,
        "staleness_bound_s": None if bound is None or migration.ended else round(bound, 3),
        "waits_for": "" if migration.ended else why_not_followed(ports, migration),
        "writers_moved": given and {"at": given.at.isoformat(), "who": given.who, "why": given.why, "stands": back is None},
    }


def _sweep(event: Event) -> Sweep:
    given = {name: event.detail[name] for name in Sweep.__dataclass_fields__ if name in event.detail}
    given |= {name: datetime.fromisoformat(given[name]) for name in ("began", "ended")}
    return Sweep(**given | {"examples": tuple(given["examples"])})
