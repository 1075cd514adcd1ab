"""How far a copier slows down for the users' sake: by their own latency, and by the store's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vecferry.domain.telemetry import percentile_ms

MOST_PAUSE_S = 10.0
FIRST_PAUSE_S = 0.1
ENOUGH_QUERIES = 20
"""Fewer in an interval say nothing of a p99: the next look adds to them."""

STORE_RATIO, STORE_SLACK_S = 4.0, 0.25

Histogram = Mapping[int, int]
"""Over ``telemetry.LATENCY_EDGES_MS``."""


@dataclass(frozen=True)
class Pace:
    """``pause_s`` before each page. ``limit_ms``: the p99 agreed for live; ``seen``: what routers had counted when last judged;
    ``best_store_s``: the store's quickest answer so far; ``why`` it pauses, for people."""

    limit_ms: float
    seen: Histogram
    pause_s: float = 0.0
    best_store_s: float | None = None
    why: str = ""


def next_pace(pace: Pace, counted: Histogram, store_s: float | None) -> Pace:
    """After a look: ``counted`` by routers up to now, ``store_s`` for a small question to the store (``None``: no answer). The
    pause doubles while somebody suffers, and halves when nobody does."""
    new = {bucket: count - pace.seen.get(bucket, 0) for bucket, count in counted.items() if count > pace.seen.get(bucket, 0)}
    enough = sum(new.values()) >= ENOUGH_QUERIES
    p99_ms = percentile_ms(new, 0.99) if enough else None
    why = _users_suffer(pace, p99_ms) or _store_suffers(pace, store_s)
    best = [s for s in (pace.best_store_s, store_s) if s is not None]
    known = replace(pace, seen=counted if enough else pace.seen, best_store_s=min(best, default=None), why=why)
    if why:
        return replace(known, pause_s=min(MOST_PAUSE_S, max(FIRST_PAUSE_S, 2 * pace.pause_s)))
    return replace(known, pause_s=pace.pause_s / 2 if pace.pause_s > FIRST_PAUSE_S else 0.0)


def _users_suffer(pace: Pace, p99_ms: float | None) -> str:
    if p99_ms is None or p99_ms <= pace.limit_ms:
        return ""
    return f"the users' p99 is {p99_ms:.0f} ms, more than {pace.limit_ms:.0f} ms"


def _store_suffers(pace: Pace, store_s: float | None) -> str:
    if store_s is None:
        return "the store does not answer"
    if pace.best_store_s is None or store_s <= max(STORE_RATIO * pace.best_store_s, STORE_SLACK_S):
        return ""
    return f"the store takes {store_s:.2f} s for what it can answer in {pace.best_store_s:.2f} s"
